//! Queries of a seed.

/// Numbers that look random, the same for a seed on every machine (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

struct Table {
    name: &'static str,
    texts: &'static [&'static str],
    numbers: &'static [&'static str],
    has_ts: bool,
    has_flag: bool,
}

const TABLES: [Table; 3] = [
    Table {
        name: "events",
        texts: &[
            "kind",
            "service",
            "relay",
            "host",
            "source",
            "hostgroup",
            "destination",
            "reason",
            "recipient_domain",
        ],
        numbers: &[
            "messages",
            "recipients",
            "bytes",
            "queue_ms",
            "delivery_ms",
            "smtp_code",
        ],
        has_ts: true,
        has_flag: true,
    },
    Table {
        name: "rates",
        texts: &["kind", "service", "relay", "hostgroup", "destination"],
        numbers: &["messages", "recipients", "attempts", "bytes"],
        has_ts: false,
        has_flag: true,
    },
    Table {
        name: "sources",
        texts: &["host", "source"],
        numbers: &["lines", "events", "ignored", "unparsed", "bytes"],
        has_ts: false,
        has_flag: false,
    },
];

const WORDS: [&str; 12] = [
    "'accepted'",
    "'delivered'",
    "'deferred'",
    "'wiki'",
    "'phabricator'",
    "'mx1001'",
    "'mx2001'",
    "'exim'",
    "'remote'",
    "''",
    "'it''s'",
    "'completed'",
];
const TIMES: [&str; 7] = [
    "'2018-06-06'",
    "'2018-06-06 18:55'",
    "'2018-06-06 18:55:00'",
    "'2018-06-06T20:00:00'",
    "TIMESTAMP '2018-06-07 02:00:00'",
    "'2018-06-05 00:00:00.500'",
    "CAST('2018-06-06 12:00:00' AS TIMESTAMP)",
];
const MILLISECONDS: [&str; 3] = ["1528308000000", "1528250000000", "1528311300000"];
const COMPARE: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];
const PATTERNS: [&str; 6] = ["'%e%'", "'m%'", "'%ed'", "'_i%'", "'wiki'", "'%.org'"];

/// A number of a row.
fn number(dice: &mut Dice, table: &Table, deep: usize) -> String {
    let column = dice.of(table.numbers).to_owned();
    if deep == 0 {
        return column;
    }
    match dice.roll(10) {
        0 => format!(
            "({} + {})",
            number(dice, table, deep - 1),
            number(dice, table, deep - 1)
        ),
        1 => format!(
            "({} - {})",
            number(dice, table, deep - 1),
            number(dice, table, deep - 1)
        ),
        2 => format!("{column} * {}", dice.roll(9)),
        3 => format!("{column} / {}", dice.roll(5)),
        4 => format!("{column} % {}", 1 + dice.roll(9)),
        5 => format!("COALESCE({column}, {})", dice.roll(9)),
        6 => format!("LENGTH({})", dice.of(table.texts)),
        7 => format!(
            "CASE WHEN {} THEN {column} ELSE {} END",
            condition(dice, table, 0),
            dice.roll(9)
        ),
        8 => format!("ABS({column} - {})", dice.roll(5000)),
        _ => format!("-{column}"),
    }
}

/// A text of a row.
fn text(dice: &mut Dice, table: &Table) -> String {
    let column = dice.of(table.texts).to_owned();
    match dice.roll(12) {
        0 => format!("UPPER({column})"),
        1 => format!("SUBSTR({column}, {}, {})", 1 + dice.roll(3), dice.roll(5)),
        2 => format!("{column} || '-' || {}", dice.of(table.texts)),
        3 => format!("CASE {column} WHEN {} THEN 'yes' ELSE {column} END", dice.of(&WORDS)),
        4 => format!("COALESCE(NULLIF({column}, ''), '?')"),
        5 => format!("REPLACE({column}, 'e', 'EE')"),
        6 => format!("LEFT({column}, {})", dice.roll(4)),
        7 => format!("TRIM({column})"),
        _ => column,
    }
}

fn condition(dice: &mut Dice, table: &Table, deep: usize) -> String {
    if deep > 0 && dice.one_in(2) {
        let (a, b) = (condition(dice, table, deep - 1), condition(dice, table, deep - 1));
        return match dice.roll(4) {
            0 => format!("({a} OR {b})"),
            1 => format!("NOT ({a} AND {b})"),
            _ => format!("{a} AND {b}"),
        };
    }
    let (text, number) = (dice.of(table.texts), dice.of(table.numbers));
    match dice.roll(14) {
        0 => format!("{text} = {}", dice.of(&WORDS)),
        1 => format!("{text} <> {}", dice.of(&WORDS)),
        2 => format!(
            "{text} IN ({}, {}, {})",
            dice.of(&WORDS),
            dice.of(&WORDS),
            dice.of(&WORDS)
        ),
        3 => format!("{text} NOT IN ({}, {})", dice.of(&WORDS), dice.of(&WORDS)),
        4 => format!("{text} LIKE {}", dice.of(&PATTERNS)),
        5 => format!("{text} NOT LIKE {}", dice.of(&PATTERNS)),
        6 => format!("{number} {} {}", dice.of(&COMPARE), dice.roll(3000)),
        7 => format!("{number} BETWEEN {} AND {}", dice.roll(10), dice.roll(20_000)),
        8 => format!("{number} IS NULL"),
        9 => format!("{number} IS NOT NULL"),
        10 if table.has_flag => dice
            .of(&[
                "first_hop",
                "NOT first_hop",
                "first_hop = TRUE",
                "first_hop IS NOT TRUE",
            ])
            .to_owned(),
        11 if table.has_ts => format!("ts {} {}", dice.of(&COMPARE), dice.of(&TIMES)),
        12 if table.has_ts => format!("ts BETWEEN {} AND {}", dice.of(&TIMES), dice.of(&TIMES)),
        _ => format!("ts_ms {} {}", dice.of(&COMPARE), dice.of(&MILLISECONDS)),
    }
}

fn aggregate(dice: &mut Dice, table: &Table) -> String {
    let inner = number(dice, table, 1);
    match dice.roll(11) {
        0 | 1 => "COUNT(*)".to_owned(),
        2 => format!("COUNT({})", dice.of(table.numbers)),
        3 => format!("COUNT(DISTINCT {})", dice.of(table.texts)),
        4 => format!("MIN({inner})"),
        5 => format!("MAX({})", dice.of(table.texts)),
        6 => format!("AVG({inner})"),
        7 => format!("SUM({inner})"),
        8 => format!("COUNT(*) FILTER (WHERE {})", condition(dice, table, 0)),
        9 => format!("SUM(CASE WHEN {} THEN 1 ELSE 0 END)", condition(dice, table, 0)),
        _ => format!("MAX(ts_ms) - MIN({})", dice.of(&["ts_ms"])),
    }
}

fn where_of(dice: &mut Dice, table: &Table) -> String {
    match dice.one_in(4) {
        true => String::new(),
        false => format!(" WHERE {}", condition(dice, table, 2)),
    }
}

/// All columns are sorted by: nothing but the order decides which rows a LIMIT keeps.
fn sorted(dice: &mut Dice, columns: usize, limit: bool) -> String {
    let mut by: Vec<String> = (1..=columns).map(|at| at.to_string()).collect();
    let first = dice.roll(columns);
    by.swap(0, first);
    for column in &mut by {
        column.push_str(dice.of(&["", " DESC", " ASC", " DESC NULLS FIRST", " NULLS FIRST"]));
    }
    let mut text = format!(" ORDER BY {}", by.join(", "));
    if limit {
        text.push_str(&format!(" LIMIT {}", 1 + dice.roll(20)));
        if dice.one_in(3) {
            text.push_str(&format!(" OFFSET {}", dice.roll(10)));
        }
    }
    text
}

fn grouped(dice: &mut Dice, table: &Table) -> (String, usize) {
    let key = match dice.roll(4) {
        0 => format!("ts_ms - ts_ms % {}", 60_000 * (1 + dice.roll(600))),
        1 => text(dice, table),
        _ => dice.of(table.texts).to_owned(),
    };
    let mut items = vec![format!("{key} AS a")];
    let by = dice.of(&["1", "a"]);
    let count = 1 + dice.roll(3);
    for at in 0..count {
        items.push(format!("{} AS n{at}", aggregate(dice, table)));
    }
    let having = match dice.roll(4) {
        0 => format!(" HAVING COUNT(*) > {}", dice.roll(50)),
        1 => " HAVING n0 IS NOT NULL".to_owned(),
        _ => String::new(),
    };
    let filter = where_of(dice, table);
    let columns = items.len();
    (
        format!(
            "SELECT {} FROM {}{filter} GROUP BY {by}{having}",
            items.join(", "),
            table.name
        ),
        columns,
    )
}

fn plain(dice: &mut Dice, table: &Table) -> (String, usize) {
    let columns = 1 + dice.roll(4);
    let mut items = Vec::new();
    for at in 0..columns {
        items.push(match dice.roll(5) {
            0 if table.has_ts => format!("ts AS c{at}"),
            0 | 1 => format!("ts_ms AS c{at}"),
            2 => format!("{} AS c{at}", number(dice, table, 2)),
            _ => format!("{} AS c{at}", text(dice, table)),
        });
    }
    let distinct = if dice.one_in(3) { "DISTINCT " } else { "" };
    let filter = where_of(dice, table);
    (
        format!("SELECT {distinct}{} FROM {}{filter}", items.join(", "), table.name),
        columns,
    )
}

fn query(dice: &mut Dice) -> String {
    let table = &TABLES[[0, 0, 1, 1, 2][dice.roll(5)]];
    match dice.roll(12) {
        0 => {
            let items: Vec<String> = (0..1 + dice.roll(4)).map(|_| aggregate(dice, table)).collect();
            let filter = where_of(dice, table);
            format!("SELECT {} FROM {}{filter}", items.join(", "), table.name)
        }
        1..=4 => {
            let (text, columns) = grouped(dice, table);
            match dice.one_in(3) {
                true => text,
                false => {
                    let limit = dice.one_in(2);
                    text + &sorted(dice, columns, limit)
                }
            }
        }
        5 | 6 => {
            let (text, columns) = plain(dice, table);
            text + &sorted(dice, columns, true)
        }
        7 => {
            let (inner, _) = grouped(dice, table);
            format!("WITH x AS ({inner}) SELECT COUNT(*), MIN(a), MAX(n0) FROM x WHERE n0 IS NOT NULL")
        }
        8 => {
            let op = dice.of(&["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]);
            let (a, b) = (&TABLES[dice.roll(2)], &TABLES[dice.roll(2)]);
            let column = dice.of(&["service", "kind", "relay"]);
            let (x, y) = (where_of(dice, a), where_of(dice, b));
            let all = format!(
                "SELECT {column}, first_hop FROM {}{x} {op} SELECT {column}, first_hop FROM {}{y}",
                a.name, b.name
            );
            format!("SELECT {column}, COUNT(*) FROM ({all}) AS u GROUP BY {column}")
        }
        9 => {
            let how = dice.of(&["JOIN", "LEFT JOIN", "INNER JOIN"]);
            let left = &TABLES[dice.roll(2)];
            let (sum, key) = (dice.of(TABLES[1].numbers), dice.of(&["service", "relay", "kind"]));
            let filter = where_of(dice, &TABLES[1]);
            format!(
                "SELECT l.{key}, COUNT(*), COUNT(r.n), MAX(r.n) FROM {} AS l {how} (SELECT {key}, SUM({sum}) AS n FROM rates{filter} \
                 GROUP BY {key}) AS r ON l.{key} = r.{key} GROUP BY l.{key} ORDER BY 1, 2",
                left.name
            )
        }
        10 => {
            let not = dice.of(&["", "NOT "]);
            let key = dice.of(&["service", "kind", "relay"]);
            let filter = where_of(dice, &TABLES[1]);
            format!("SELECT COUNT(*) FROM events WHERE {key} {not}IN (SELECT {key} FROM rates{filter})")
        }
        _ => {
            let (key, value) = (dice.of(table.texts), dice.of(table.numbers));
            let call = dice.of(&["SUM", "COUNT", "AVG", "MIN", "MAX"]);
            format!(
                "SELECT DISTINCT {key}, {call}({value}) OVER (PARTITION BY {key}) AS w FROM {}{}",
                table.name,
                where_of(dice, table)
            )
        }
    }
}

/// As many queries as wanted.
pub(super) fn queries(seed: u64, count: u64) -> Vec<String> {
    let mut dice = Dice(seed);
    (0..count).map(|_| query(&mut dice)).collect()
}
