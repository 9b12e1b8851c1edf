//! The one boundary that no panic crosses.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs `body`; a panic in it becomes its text, and nothing is printed.
pub fn run<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Outside the boundary there are only tests, which want to be told.
            if !INSIDE.get() {
                usual(info);
            }
        }));
    });
    INSIDE.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(false);
    result.map_err(|cause| {
        let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| cause.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a text".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(run(|| panic!("at the disco")).map(|()| 0), Err("at the disco".to_owned()));
        let number = 7;
        assert_eq!(run(|| panic!("no {number}")).map(|()| 0), Err("no 7".to_owned()));
        assert_eq!(run(|| 5), Ok(5));
    }
}
