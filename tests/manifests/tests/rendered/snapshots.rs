//! The rendered manifests are compared with what was agreed, so that a change of a base shows what
//! it does to every overlay.

use std::fs;

use crate::{APPLIED, render, workspace};

/// Set to renew the agreed files.
const RENEW: &str = "UPDATE_EXPECTED";

#[test]
fn rendered_manifests_are_as_agreed() {
    let folder = workspace().join("tests/manifests/expected");
    #[expect(clippy::disallowed_methods, reason = "a test has no other options")]
    let renew = std::env::var(RENEW).is_ok();
    for name in APPLIED {
        let file = folder.join(format!("{}.yaml", name.replace('/', "-")));
        let rendered = render(name);
        if renew {
            fs::write(&file, &rendered).unwrap();
        }
        let agreed = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            rendered == agreed,
            "{name} renders differently from {}; look at it with {RENEW}=1 and git diff",
            file.display()
        );
    }
}
