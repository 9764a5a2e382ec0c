//! What is wrong with a file stays with that file: a panic of the engine over bytes that are none of ours becomes an error.

use super::ColumnarError;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

thread_local! {
    /// What is read here may be anything.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read`, which decodes what stands in a file.
///
/// # Errors
/// Those of `read`; [`ColumnarError::Damaged`] where it panics.
pub(super) fn contained<T>(path: &Path, read: impl FnOnce() -> Result<T, ColumnarError>) -> Result<T, ColumnarError> {
    if CONTAINED.get() {
        return read();
    }
    quiet();
    CONTAINED.set(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    CONTAINED.set(false);
    match result {
        Ok(result) => result,
        Err(panic) if panic.is::<&str>() || panic.is::<String>() => Err(ColumnarError::Damaged {
            path: path.to_owned(),
            what: "its content makes no sense to the decoder".to_owned(),
        }),
        Err(panic) => resume_unwind(panic),
    }
}

/// Panics that are contained say nothing: the error does.
fn quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !CONTAINED.get() {
                usual(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_names_the_file() {
        let result: Result<(), ColumnarError> =
            contained(Path::new("7.events.parquet"), || panic!("index out of bounds"));
        assert_eq!(
            result.unwrap_err().to_string(),
            "7.events.parquet: its content makes no sense to the decoder"
        );
        assert!(!CONTAINED.get());
    }
}
