//! The domain of log-shipper without the rest of the service: a domain knows neither database nor
//! cluster nor store, and those take most of the time of a build.
#![allow(dead_code, reason = "the service uses what the targets do not")]

pub mod domain;
