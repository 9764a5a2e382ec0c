use super::*;

fn parse(text: &str) -> Vec<(String, String)> {
    let inventory = Inventory::parse(text.as_bytes()).unwrap();
    inventory
        .groups
        .into_iter()
        .map(|(name, hosts)| (name, hosts.join(" ")))
        .collect()
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[test]
fn ansible_list_with_children_circles_and_hostvars() {
    let text = r#"{
        "_meta": {"hostvars": {"phab1001": {"ansible_host": "10.64.32.163", "x": 1}, "mw1": {}}},
        "all": {"children": ["ungrouped", "eqiad"]},
        "eqiad": {"children": ["phab", "mw"], "hosts": ["bast1"]},
        "phab": {"hosts": ["phab1001"], "children": ["eqiad_loop"]},
        "eqiad_loop": {"children": ["phab"]},
        "mw": ["mw1", "mw2", "mw1"]
    }"#;
    assert_eq!(
        parse(text),
        [
            pair("phab", "phab1001 10.64.32.163"),
            pair("eqiad_loop", "phab1001 10.64.32.163"),
            pair("mw", "mw1 mw2"),
            pair("eqiad", "bast1 phab1001 mw1 mw2 10.64.32.163"),
        ]
    );
}

#[test]
fn nested_as_in_the_yaml_export() {
    let text = r#"{"all": {"children": {"db": {"hosts": {"db1": {"ansible_host": "db1.x.org"}, "db2": null}},
        "web": {"children": {"front": {"hosts": {"w1": {}}}}}}}}"#;
    assert_eq!(
        parse(text),
        [pair("web", "w1"), pair("front", "w1"), pair("db", "db1 db2 db1.x.org")]
    );
}

#[test]
fn csv_in_all_its_forms() {
    let plain = [pair("phab", "a"), pair("mw", "b c")];
    assert_eq!(parse("a,phab\nb,mw\nc,mw\n"), plain);
    assert_eq!(
        parse("\u{feff}Host, Group\r\n# comment\r\na, phab\r\nb,mw\r\nc,mw\r\n"),
        plain
    );
    assert_eq!(parse("group,rack,host\nphab,1,a\nmw,2,b\nmw,3,c\n"), plain);
    let list = Inventory::parse(b"host\na\nb\n").unwrap();
    assert_eq!(list.members("whatever"), Some(&["a".to_owned(), "b".to_owned()][..]));
    assert_eq!(Inventory::parse(b"a,x\n").unwrap().members("y"), None);
}

#[test]
fn junk_is_refused_with_its_line() {
    for (text, expected) in [
        (
            &b"a,x\nb c,y\n"[..],
            "line 2: `b c` is not a host name; write lines of `host,group`, separated by a comma",
        ),
        (
            b"a,x\n\xff\xfe,y\n",
            "line 2: neither JSON nor CSV in UTF-8; write lines of `host,group`",
        ),
        (
            b"[1]",
            "line 1: this is a JSON list; write `ansible-inventory --list` into it",
        ),
        (
            b"{\"a\": 3}",
            "line 1: group `a` is neither list nor object; write it again with `ansible-inventory --list`",
        ),
    ] {
        assert_eq!(Inventory::parse(text).unwrap_err().to_string(), expected);
    }
    let cut = Inventory::parse(b"{\n\"a\": [").unwrap_err();
    assert!(cut.to_string().starts_with("line 2: no JSON: EOF"), "{cut}");
}
