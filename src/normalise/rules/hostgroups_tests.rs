use super::*;

fn group(name: &str, hosts: &[&str], networks: &[&str], members: &[&str]) -> GroupInput {
    let own = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect();
    GroupInput {
        name: name.to_owned(),
        hosts: own(hosts),
        networks: own(networks),
        members: own(members),
    }
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn the_first_group_wins_over_all_kinds() {
    let groups = HostGroups::compile(vec![
        group(
            "phab",
            &["phab[0-9]*.*.wmnet", "10.0.0.9"],
            &["10.64.32.0/24", "2620:0:861::/48"],
            &[],
        ),
        group(
            "hadoop",
            &["an-*"],
            &["10.64.0.0/16"],
            &["stat1007.eqiad.wmnet", "10.64.32.7"],
        ),
        group("rest", &["*.wmnet"], &["10.0.0.0/8"], &["PHAB1001.eqiad.wmnet"]),
    ])
    .unwrap();
    for (name, address, expected, by) in [
        (
            Some("PHAB1001.eqiad.wmnet."),
            None,
            Some("phab"),
            "hosts: phab[0-9]*.*.wmnet",
        ),
        (None, ip("10.64.32.163"), Some("phab"), "networks: 10.64.32.0/24"),
        (None, ip("10.0.0.9"), Some("phab"), "hosts: 10.0.0.9"),
        (None, ip("::ffff:10.64.32.1"), Some("phab"), "networks: 10.64.32.0/24"),
        (
            None,
            ip("2620:0:861:3:208:80:154:81"),
            Some("phab"),
            "networks: 2620:0:861::/48",
        ),
        (
            Some("stat1007.eqiad.wmnet"),
            ip("10.64.9.9"),
            Some("hadoop"),
            "networks: 10.64.0.0/16",
        ),
        (Some("Stat1007.eqiad.wmnet"), None, Some("hadoop"), "inventory"),
        (Some("mw1.eqiad.wmnet"), ip("192.0.2.1"), Some("rest"), "hosts: *.wmnet"),
        (
            Some("mw1.eqiad.wmnet"),
            ip("10.64.32.1"),
            Some("phab"),
            "networks: 10.64.32.0/24",
        ),
        (Some("example.org"), ip("192.0.2.1"), None, ""),
        (None, None, None, ""),
    ] {
        let name = name.map(str::as_bytes);
        assert_eq!(groups.find(name, address), expected, "{name:?} {address:?}");
        assert_eq!(groups.explain(name, address).map(|(_, by)| by).unwrap_or_default(), by);
    }
}

#[test]
fn an_inventory_of_five_thousand_hosts() {
    let hosts: Vec<String> = (0..5000).map(|n| format!("mw{n}.eqiad.wmnet")).collect();
    let input = GroupInput {
        name: "mw".to_owned(),
        members: hosts.clone(),
        ..GroupInput::default()
    };
    let groups = HostGroups::compile(vec![input]).unwrap();
    assert!(
        hosts
            .iter()
            .all(|host| groups.find(Some(host.as_bytes()), None) == Some("mw"))
    );
    assert_eq!(groups.find(Some(b"mw5000.eqiad.wmnet"), None), None);
}

#[test]
fn says_everything_that_is_wrong() {
    let bad = group(
        "a",
        &["", "x y", "10.0.0.0/8", "a[", "ok"],
        &["10.0.0.1/8", "10.0.0.0/33", "10.0.0.1"],
        &[],
    );
    let problems = HostGroups::compile(vec![group("z", &[], &[], &[]), bad]).unwrap_err();
    let texts: Vec<String> = problems
        .iter()
        .map(|p| format!("{} {}[{}] {p}", p.group, p.list, p.item))
        .collect();
    assert_eq!(
        texts,
        [
            "1 hosts[0] `` is not a host name; write a name, a glob or an address",
            "1 hosts[1] `x y` is not a host name; write a name, a glob or an address",
            "1 hosts[2] `10.0.0.0/8` is a network; move it to `networks`",
            "1 hosts[3] `a[` is not a glob: unclosed character class; missing ']'; globs support `*`, `?`, `[0-9]` and `{a,b}`",
            "1 networks[0] `10.0.0.1/8` has bits set beyond its prefix length; write `10.0.0.0/8`, or `10.0.0.1` for the \
             one host",
            "1 networks[1] `10.0.0.0/33` is neither network nor address; write it as `10.64.32.0/24`, \
             `2620:0:861::/48` or a single address",
        ]
    );
}
