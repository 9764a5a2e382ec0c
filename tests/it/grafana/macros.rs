//! What Grafana and its ClickHouse plugin make of a panel's SQL before a server sees it: variables first, then macros. The formulas
//! are those of the plugin's documentation.

/// A time range and what is selected.
#[derive(Debug, Clone)]
pub(crate) struct View<'v> {
    pub from_ms: i64,
    pub to_ms: i64,
    pub interval_s: i64,
    /// Values of variables; none means All.
    pub selected: &'v [(&'v str, &'v [&'v str])],
}

impl View<'_> {
    fn values(&self, name: &str) -> &[&str] {
        let found = self.selected.iter().find(|(known, _)| *known == name);
        found.map_or(&[], |(_, values)| values)
    }

    /// The text that a server sees.
    pub(crate) fn expand(&self, sql: &str) -> String {
        let mut text = self.conditions(sql);
        while let Some((before, rest)) = text.split_once("${") {
            let (variable, after) = rest.split_once('}').expect("a variable's end");
            let name = variable.strip_suffix(":singlequote").expect("variables are quoted");
            let quoted = self
                .values(name)
                .iter()
                .map(|value| format!("'{}'", value.replace('\'', "\\'")));
            text = format!("{before}{}{after}", quoted.collect::<Vec<_>>().join(","));
        }
        let macros = [
            ("$__fromTime_ms", format!("fromUnixTimestamp64Milli({})", self.from_ms)),
            ("$__toTime_ms", format!("fromUnixTimestamp64Milli({})", self.to_ms)),
            ("$__interval_s", self.interval_s.to_string()),
        ];
        for (name, value) in macros {
            text = text.replace(name, &value);
        }
        assert!(!text.contains('$'), "a macro that nobody knows: {text}");
        text
    }

    /// `$__conditionalAll(condition, $variable)`: the condition, or `1=1` where All is selected.
    fn conditions(&self, sql: &str) -> String {
        const MACRO: &str = "$__conditionalAll(";
        let mut text = sql.to_owned();
        while let Some(at) = text.find(MACRO) {
            let inner = at + MACRO.len();
            let mut depth = 1;
            let end = text[inner..]
                .char_indices()
                .find_map(|(offset, c)| {
                    depth += match c {
                        '(' => 1,
                        ')' => -1,
                        _ => 0,
                    };
                    (depth == 0).then_some(inner + offset)
                })
                .expect("the macro's end");
            let (condition, variable) = text[inner..end].rsplit_once(',').expect("two parameters");
            let name = variable.trim().strip_prefix('$').expect("a variable");
            let value = match self.values(name).is_empty() {
                true => "1=1".to_owned(),
                false => condition.to_owned(),
            };
            text = format!("{}{value}{}", &text[..at], &text[end + 1..]);
        }
        text
    }
}
