//! Pages of a service's own on the admin port.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

type Page = Arc<dyn Fn() -> String + Send + Sync>;

/// Pages by path. They may come while the admin port is open already. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Pages {
    pages: Arc<Mutex<BTreeMap<&'static str, Page>>>,
}

impl Pages {
    pub(crate) fn add(
        &self,
        path: &'static str,
        page: impl Fn() -> String + Send + Sync + 'static,
    ) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(path, Arc::new(page));
    }

    pub(crate) fn render(&self, path: &str) -> Option<String> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.get(path).cloned();
        // The page takes locks of its own, so it is not called under this one.
        drop(pages);
        page.map(|page| page())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_rendered_anew_each_time() {
        let pages = Pages::default();
        assert_eq!(pages.render("/streams"), None);
        let count = Mutex::new(0);
        pages.add("/streams", move || {
            let mut count = count.lock().unwrap();
            *count += 1;
            count.to_string()
        });
        assert_eq!(pages.render("/streams").as_deref(), Some("1"));
        assert_eq!(pages.render("/streams").as_deref(), Some("2"));
    }
}
