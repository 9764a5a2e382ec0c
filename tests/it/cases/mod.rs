//! Cases from public bug reports of other tools. `tests/cases/NN-name/` holds the inputs and `expect.md`: where the
//! report is, what went wrong there, and what is right. A module here is named after its folder.

use crate::logs::root;
use std::path::PathBuf;

/// A file of a case.
pub fn input(case: &str, file: &str) -> PathBuf {
    let path = root().join("tests/cases").join(case).join(file);
    assert!(path.exists(), "{} is missing", path.display());
    path
}
