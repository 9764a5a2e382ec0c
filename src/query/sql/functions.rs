//! Calls of functions: their arguments, and whether they are over a group, over a window, or of values.

use super::aggregates::aggregate;
use super::call::FunctionCall;
use super::node::Typed;
use super::refusal::{NOT_HERE, refused};
use super::scalars::{AGGREGATES, scalar};
use super::scope::NameScope;
use super::translator::Translator;
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

/// The last word of a function's name, lower case.
pub(super) fn name_of(function: &Function) -> String {
    let name = function.name.0.last().map(ToString::to_string).unwrap_or_default();
    name.trim_matches(['"', '`']).to_lowercase()
}

/// Arguments, and whether they are to be distinct.
fn args_of<'f>(whole: &Expr, function: &'f Function) -> Result<(Vec<Option<&'f Expr>>, bool), String> {
    let list = match &function.args {
        FunctionArguments::List(list) if list.clauses.is_empty() => list,
        FunctionArguments::None => return Ok((Vec::new(), false)),
        _ => return Err(refused(whole, "write its arguments one by one")),
    };
    let mut args = Vec::with_capacity(list.args.len());
    for arg in &list.args {
        args.push(match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => None,
            _ => return Err(refused(whole, "write its arguments one by one")),
        });
    }
    Ok((args, list.duplicate_treatment == Some(DuplicateTreatment::Distinct)))
}

impl Translator {
    pub(super) fn function(
        &mut self,
        whole: &Expr,
        function: &Function,
        scope: &NameScope<'_>,
    ) -> Result<Typed, String> {
        let name = name_of(function);
        let plain = function.name.0.len() == 1
            && function.within_group.is_empty()
            && function.null_treatment.is_none()
            && function.parameters == FunctionArguments::None;
        if !plain {
            return Err(refused(whole, NOT_HERE));
        }
        let (args, distinct) = args_of(whole, function)?;
        let is_aggregate = AGGREGATES.contains(&name.as_str());
        if !is_aggregate && (distinct || function.filter.is_some()) {
            return Err(refused(whole, "DISTINCT and FILTER are for sums and counts"));
        }
        let mut given = Vec::with_capacity(args.len());
        for arg in args.iter().flatten() {
            given.push(self.expr(arg, scope)?);
        }
        let call = FunctionCall {
            whole,
            name: &name,
            given,
            star: args.contains(&None),
            distinct,
        };
        if let Some(over) = &function.over {
            return self.window(call, over, scope);
        }
        if is_aggregate {
            if call
                .given
                .iter()
                .any(|arg| arg.node.has_aggregate() || arg.node.has_window())
            {
                return Err(refused(
                    whole,
                    "it counts over a count; write the inner one in a subquery",
                ));
            }
            let filter = match &function.filter {
                Some(filter) => Some(self.condition(filter, scope, "FILTER")?),
                None => None,
            };
            return aggregate(call, filter);
        }
        if call.star {
            return Err(refused(whole, "`*` is for COUNT(*)"));
        }
        scalar(whole, &name, call.given)
    }
}
