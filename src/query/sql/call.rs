//! A call of a function over a group or a window, its arguments translated.

use super::node::Typed;
use sqlparser::ast::Expr;

/// The call.
pub(super) struct FunctionCall<'a> {
    /// As the query writes it.
    pub whole: &'a Expr,
    /// The function's name, lower case.
    pub name: &'a str,
    /// Its arguments, without `*`.
    pub given: Vec<Typed>,
    /// Whether `*` is among them.
    pub star: bool,
    /// Whether they are to be distinct.
    pub distinct: bool,
}
