//! Asks endpoints for their metrics.

mod client;
mod scraper;
mod targets;

pub use self::{
    client::{Answer, ScrapeClient, ScrapeError},
    scraper::{ScrapeOptions, Scraper},
    targets::{TargetStatus, Targets},
};
