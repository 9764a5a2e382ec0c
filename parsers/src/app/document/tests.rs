use super::*;

fn read(line: &str) -> Result<Vec<Option<String>>, Reject> {
    let paths = Paths::of(&["a", "b.c", "l.1", "l"]);
    let mut values = paths.read(line.as_bytes(), &mut None)?;
    let text = |slot| take(&mut values, slot).map(|text| String::from_utf8(text.into_owned()).unwrap());
    Ok((0..4).map(text).collect())
}

#[test]
fn paths_and_values() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        read(r#" {"x":{"a":1},"a":"v\"w","b":{"c":-7,"d":[{}]},"l":["p","q",{"a":1}]} "#),
        Ok(vec![some("v\"w"), some("-7"), some("q"), some("p")])
    );
    assert_eq!(read(r#"{"a":null,"b":"no object","l":[]}"#), Ok(vec![None; 4]));
    assert_eq!(
        read(r#"{"\u0061":true,"b":{"c":1.5}}"#).unwrap()[..2],
        [some("true"), some("1.5")]
    );
    assert_eq!(read(r#"{"b.c":"flat"}"#).unwrap()[1], some("flat"));
    assert_eq!(read(r#"{"a":"first","a":"last"}"#).unwrap()[0], some("last"));
}

#[test]
fn broken_lines_say_where() {
    for (line, offset) in [
        ("", 0),
        ("[1]", 0),
        ("text", 1),
        (r#"{"a":1"#, 6),
        (r#"{"a":1} {"a":2}"#, 8),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":1,}"#, 7),
    ] {
        let reject = read(line).unwrap_err();
        assert_eq!(reject.offset, offset, "{line}: {reject}");
    }
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    assert!(read(&deep).is_err());
}

#[test]
fn characters_are_repaired() {
    let paths = Paths::of(&["a", "b"]);
    let mut values = paths
        .read(
            b"{\"a\":\"caf\xe9 \\\\ud800\",\"b\":\"\\ud83d\\ude00 \\udce9\"}",
            &mut None,
        )
        .unwrap();
    assert_eq!(take(&mut values, 0).unwrap(), "caf\u{fffd} \\ud800".as_bytes());
    assert_eq!(take(&mut values, 1).unwrap(), "\u{1f600} \u{fffd}".as_bytes());
    assert!(paths.read(b"{\"a\":\"\xe9\"", &mut None).is_err());
}

#[test]
fn a_path_is_names_and_dots() {
    for path in ["", ".", "a.", ".a", "a..b", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a"] {
        assert!(
            Paths::new().add(path).unwrap_err().contains("context.mail.to"),
            "{path}"
        );
    }
    let mut paths = Paths::new();
    assert_eq!(
        (paths.add("a.b"), paths.add("a"), paths.add("a.b")),
        (Ok(0), Ok(1), Ok(0))
    );
}
