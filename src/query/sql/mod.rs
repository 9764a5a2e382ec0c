//! SQL of a user's own. Its tree is rewritten before an engine sees it: names are resolved, types are checked, literals of
//! time become milliseconds, and what the engine is not known to answer rightly is refused in one line.

mod aggregates;
mod call;
mod clauses;
mod expr;
mod forms;
mod from;
mod functions;
mod level;
mod levels;
mod node;
mod operators;
mod parse;
mod predicates;
mod refusal;
mod scalars;
mod schema;
mod scope;
mod select;
mod server;
#[cfg(test)]
mod tests;
mod times;
mod translator;
mod windows;

pub use level::{Level, LevelForm, Test};
pub use node::quoted;
pub(crate) use server::{for_server, trusted_for_server, trusted_with_rates};

/// A query of a user's for the embedded engine.
#[derive(Debug)]
pub(crate) struct EmbeddedQuery {
    /// SELECTs whose rows the later ones may name as a table: its name, and the text.
    pub steps: Vec<(String, Level)>,
    /// The last one. Its columns are called `c0`, `c1`, …
    pub last: Level,
    /// Their names in the answer, and whether they are points in time (UTC milliseconds).
    pub columns: Vec<(String, bool)>,
}

/// Makes of a text what the embedded engine is asked.
///
/// # Errors
/// One short line: what is wrong or not understood here, and the hint where there is one.
pub(crate) fn for_embedded(text: &str) -> Result<EmbeddedQuery, String> {
    let query = parse::one_select(text)?;
    let mut translator = translator::Translator::default();
    let relation = translator.query(&query)?;
    let mut names: Vec<String> = Vec::new();
    let mut columns = Vec::with_capacity(relation.columns.len());
    for (name, kind) in &relation.columns {
        let name = unique(name, &names);
        let is_time = *kind == node::Type::Time || (name == "ts" && kind.is_int());
        names.push(name.clone());
        columns.push((name, is_time));
    }
    Ok(EmbeddedQuery {
        steps: translator.steps,
        last: relation.level,
        columns,
    })
}

/// Columns of one answer have different names: the second `kind` is `kind_1`.
fn unique(name: &str, names: &[String]) -> String {
    let mut made = name.to_owned();
    let mut number = 0;
    while names.contains(&made) {
        number += 1;
        made = format!("{name}_{number}");
    }
    made
}
