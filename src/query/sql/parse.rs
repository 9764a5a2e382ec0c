//! From text to a tree, within bounds: a tree that is too deep ends the process of whoever walks over it.

use sqlparser::ast::{Query, SetExpr, Statement};
use sqlparser::dialect::{ClickHouseDialect, Dialect, GenericDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

/// Bytes of a query.
const BYTES_MAX: usize = 1 << 20;
/// Words and signs of a query.
const TOKENS_MAX: usize = 50_000;
/// Signs and words that calculate, compare or join conditions: each may make the tree one deeper.
const OPERATORS_MAX: usize = 1_000;

/// The one SELECT of a text.
///
/// # Errors
/// It is no SQL, something else than a SELECT, more than one, or too long.
pub(super) fn one_select(text: &str) -> Result<Query, String> {
    parsed(text, &GenericDialect {})
}

/// The same for a server, whose own words are understood too.
pub(super) fn one_select_of_server(text: &str) -> Result<Query, String> {
    parsed(text, &GenericDialect {}).or_else(|error| parsed(text, &ClickHouseDialect {}).map_err(|_| error))
}

fn parsed(text: &str, dialect: &dyn Dialect) -> Result<Query, String> {
    bounded(text, dialect)?;
    let statements = Parser::parse_sql(dialect, text).map_err(|error| not_sql(&error))?;
    let mut statements = statements.into_iter();
    let (first, more) = (statements.next(), statements.count());
    let Some(statement) = first.filter(|_| more == 0) else {
        let count = if text.trim().is_empty() { 0 } else { more + 1 };
        return Err(format!("{count} statements; write exactly one SELECT"));
    };
    match statement {
        Statement::Query(query) if reads(&query.body) => Ok(*query),
        _ => Err("only SELECT is allowed here: the store is written by backfill and tail alone".to_owned()),
    }
}

fn reads(body: &SetExpr) -> bool {
    !matches!(
        body,
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) | SetExpr::Table(_)
    )
}

fn not_sql(error: &dyn std::fmt::Display) -> String {
    let words = error.to_string();
    let words = words.trim_start_matches("sql parser error: ");
    let short: String = words.lines().next().unwrap_or_default().chars().take(200).collect();
    format!("not SQL: {}", short.escape_debug().to_string().replace("\\'", "'"))
}

fn bounded(text: &str, dialect: &dyn Dialect) -> Result<(), String> {
    if text.len() > BYTES_MAX {
        return Err(format!("a query of {} bytes; at most {BYTES_MAX}", text.len()));
    }
    let tokens = Tokenizer::new(dialect, text)
        .tokenize()
        .map_err(|error| not_sql(&error))?;
    let tokens = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    let (mut count, mut operators) = (0usize, 0usize);
    for token in tokens {
        count += 1;
        operators += usize::from(is_operator(token));
    }
    if count > TOKENS_MAX {
        return Err(format!("a query of {count} words and signs; at most {TOKENS_MAX}"));
    }
    if operators > OPERATORS_MAX {
        return Err(format!(
            "a query of {operators} operators; at most {OPERATORS_MAX} (use IN for long lists)"
        ));
    }
    Ok(())
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) if word.quote_style.is_none() => {
            let words = [
                "AND",
                "OR",
                "NOT",
                "UNION",
                "EXCEPT",
                "INTERSECT",
                "IS",
                "LIKE",
                "ILIKE",
                "IN",
                "BETWEEN",
                "WHEN",
            ];
            words.iter().any(|operator| word.value.eq_ignore_ascii_case(operator))
        }
        Token::Word(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::RParen
        | Token::Period
        | Token::SemiColon
        | Token::EOF => false,
        _ => true,
    }
}
