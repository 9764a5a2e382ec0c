//! Functions over windows that the embedded engine is known to answer rightly.

use super::call::FunctionCall;
use super::node::{SqlExpr, Type, Typed, WindowFunction};
use super::refusal::refused;
use super::scope::NameScope;
use super::translator::Translator;
use sqlparser::ast::{Expr, WindowSpec, WindowType};

/// What a window does with its rows.
struct Over {
    partition: Vec<SqlExpr>,
    order: Vec<(SqlExpr, bool)>,
}

/// What a function over a window brings forth.
struct Template {
    text: String,
    kind: Type,
    /// Of no values it is NULL where the engine would say 0.
    null_if_none: bool,
    /// The engine's counts are unsigned.
    is_count: bool,
    arg: Option<Typed>,
}

impl Translator {
    pub(super) fn window(
        &mut self,
        call: FunctionCall<'_>,
        over: &WindowType,
        scope: &NameScope<'_>,
    ) -> Result<Typed, String> {
        let whole = call.whole;
        let WindowType::WindowSpec(spec) = over else {
            return Err(refused(whole, "write the window behind OVER"));
        };
        if spec.window_name.is_some() || spec.window_frame.is_some() || call.distinct {
            return Err(refused(whole, "only PARTITION BY and ORDER BY may stand in a window"));
        }
        let over = self.over(whole, spec, scope)?;
        let ranks = ["row_number", "lag", "lead", "first_value"].contains(&call.name);
        if ranks == over.order.is_empty() {
            let why = match ranks {
                true => "it needs ORDER BY in its window",
                false => {
                    "the engine gives wrong running values for it; group by a bucket (ts_ms - ts_ms % 300000) instead"
                }
            };
            return Err(refused(whole, why));
        }
        let made = template(call, ranks)?;
        let window = WindowFunction {
            template: made.text,
            arg: made.arg.map(|arg| Box::new(arg.node)),
            partition: over.partition,
            order: over.order,
            null_if_none: made.null_if_none,
            is_count: made.is_count,
        };
        Ok(Typed {
            node: SqlExpr::Window(window),
            kind: made.kind,
        })
    }

    fn over(&mut self, whole: &Expr, spec: &WindowSpec, scope: &NameScope<'_>) -> Result<Over, String> {
        let mut over = Over {
            partition: Vec::new(),
            order: Vec::new(),
        };
        for expr in &spec.partition_by {
            over.partition.push(self.expr(expr, scope)?.node);
        }
        for by in &spec.order_by {
            if by.options.nulls_first.is_some() {
                return Err(refused(whole, "a window takes no NULLS FIRST"));
            }
            let node = self.expr(&by.expr, scope)?.node;
            over.order.push((node, by.options.asc == Some(false)));
        }
        Ok(over)
    }
}

/// The function's text; `ranks` says whether it goes by the order of its window.
fn template(call: FunctionCall<'_>, ranks: bool) -> Result<Template, String> {
    let FunctionCall {
        whole,
        name,
        mut given,
        star,
        ..
    } = call;
    let number = |at: usize| given.get(at).is_some_and(|given: &Typed| given.kind.is_number());
    let made = |text: &str, kind: Type, arg: Option<Typed>| Template {
        text: text.to_owned(),
        kind,
        null_if_none: false,
        is_count: false,
        arg,
    };
    let count = |text: &str, arg: Option<Typed>| Template {
        is_count: true,
        ..made(text, Type::Int, arg)
    };
    Ok(match (name, given.len()) {
        ("row_number", 0) => count("ROW_NUMBER()", None),
        ("count", 0) if star => count("COUNT(*)", None),
        ("count", 1) => count("COUNT({})", given.pop()),
        ("sum", 1) if number(0) => {
            let kind = match given[0].kind {
                Type::Float => Type::Float,
                _ => Type::Int,
            };
            Template {
                null_if_none: true,
                ..made("SUM({})", kind, given.pop())
            }
        }
        ("avg", 1) if number(0) => made("AVG({})", Type::Float, given.pop()),
        ("min" | "max" | "lag" | "lead" | "first_value", 1) if ranks || number(0) => {
            let text = format!("{}({{}})", name.to_uppercase());
            made(&text, given[0].kind, given.pop())
        }
        ("lag" | "lead", 2) => {
            let rows = match &given[1].node {
                SqlExpr::Literal(rows) if rows.parse::<u32>().is_ok() => rows,
                _ => return Err(refused(whole, "how many rows must be a number")),
            };
            let text = format!("{}({{}}, {rows})", name.to_uppercase());
            let first = given.swap_remove(0);
            made(&text, first.kind, Some(first))
        }
        _ => return Err(refused(whole, "the embedded engine has no such function over a window")),
    })
}
