//! Files that stand in a circle: each imports from another of them, so that none can be read first.
//!
//! Reads `use` declarations (groups taken apart, re-exports followed to where the thing is) and paths inside of code. Methods
//! of one type in several files may call each other: nothing is imported for that. Tests are left out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A module's path below the crate.
type Module = Vec<String>;

/// The sources of a crate, read as far as circles need it.
pub(super) struct Sources<'s> {
    /// By module: the file and its code.
    files: BTreeMap<Module, (&'s str, String)>,
    /// What is re-exported: under which path, and where it is.
    exports: BTreeMap<Module, Module>,
}

/// Re-exports of re-exports that are followed.
const STEPS_MAX: usize = 8;

impl<'s> Sources<'s> {
    /// Of files by their names below `src`, and their texts without comments.
    pub(super) fn new(files: impl IntoIterator<Item = (&'s str, String)>) -> Self {
        let files = files.into_iter().filter(|(file, _)| *file != "main.rs");
        let files: BTreeMap<Module, (&str, String)> = files
            .map(|(file, code)| (module(file), (file, without_tests(&code))))
            .collect();
        let mut exports = BTreeMap::new();
        for (module, (_, code)) in &files {
            for path in uses(code).into_iter().filter(|path| path.is_public) {
                if let Some((name, target)) = path.name().zip(resolved(&path.path, module, &files)) {
                    exports.insert(below(module, [name.to_owned()]), target);
                }
            }
        }
        Sources { files, exports }
    }

    /// What each file imports from.
    fn imports(&self) -> BTreeMap<&'s str, BTreeSet<&'s str>> {
        let mut imports = BTreeMap::new();
        for (module, (file, code)) in &self.files {
            // What a file hands on is not what it needs.
            let own = self
                .exports
                .iter()
                .filter(|(name, _)| name[..name.len() - 1] == module[..]);
            let own: BTreeSet<&Module> = own.map(|(_, target)| target).collect();
            let paths = uses(code).into_iter().map(|path| path.path).chain(inline_paths(code));
            let targets = paths.filter_map(|path| resolved(&path, module, &self.files));
            let of_others = targets.filter(|target| !own.contains(target));
            let files = of_others
                .filter_map(|target| self.file_of(target))
                .filter(|other| other != file);
            imports.insert(*file, files.collect());
        }
        imports
    }

    /// The file in which a path ends, re-exports followed.
    fn file_of(&self, mut path: Module) -> Option<&'s str> {
        for _ in 0..STEPS_MAX {
            let export = (1..=path.len())
                .rev()
                .find_map(|n| Some((n, self.exports.get(&path[..n])?)));
            let Some((n, target)) = export else { break };
            path = below(target, path[n..].iter().cloned());
        }
        let module = (1..=path.len()).rev().find_map(|n| self.files.get(&path[..n]));
        module.map(|(file, _)| *file)
    }

    /// Groups of files of which each reaches each.
    pub(super) fn circles(&self) -> Vec<Vec<&'s str>> {
        let imports = self.imports();
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            imports.keys().map(|file| (*file, reach(file, &imports))).collect();
        let mut circles: Vec<Vec<&str>> = Vec::new();
        for (file, others) in &reached {
            if !others.contains(file) || circles.iter().any(|circle| circle.contains(file)) {
                continue;
            }
            let back = others.iter().filter(|other| reached[**other].contains(file));
            circles.push(back.copied().collect());
        }
        circles
    }
}

/// The files that are reached from one, itself only if a way leads back.
fn reach<'s>(from: &str, imports: &BTreeMap<&'s str, BTreeSet<&'s str>>) -> BTreeSet<&'s str> {
    let mut reached = BTreeSet::new();
    let mut next = VecDeque::from([from]);
    while let Some(file) = next.pop_front() {
        for other in &imports[file] {
            if reached.insert(*other) {
                next.push_back(other);
            }
        }
    }
    reached
}

/// `store/columnar/mod.rs` is `store::columnar`, and `lib.rs` and `pipeline.rs` are the crates themselves.
fn module(file: &str) -> Module {
    let mut parts: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    parts.pop_if(|last| ["mod", "lib", "pipeline"].contains(&last.as_str()));
    parts
}

fn below(module: &[String], more: impl IntoIterator<Item = String>) -> Module {
    module.iter().cloned().chain(more).collect()
}

/// Code without its tests: the module `tests` at the end, and test modules in files of their own.
pub(super) fn without_tests(code: &str) -> String {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut parts = code.split("#[cfg(test)]");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let declared = part
            .trim_start()
            .strip_prefix("mod ")
            .and_then(|rest| rest.split_once(';'));
        match declared {
            Some((name, rest)) if !name.contains(['{', '\n']) => out.push_str(rest),
            _ => out.push_str(part),
        }
    }
    out
}

/// One path of a `use` declaration.
struct UsedPath {
    path: Vec<String>,
    alias: Option<String>,
    is_public: bool,
}

impl UsedPath {
    /// The name under which it is known here.
    fn name(&self) -> Option<&str> {
        self.alias.as_ref().or(self.path.last()).map(String::as_str)
    }
}

/// All paths of all `use` declarations.
fn uses(code: &str) -> Vec<UsedPath> {
    let mut found = Vec::new();
    for Declaration { tree, is_public, .. } in declarations(code) {
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        for leaf in leaves(&tree) {
            let (path, alias) = match leaf.split_once(" as ") {
                Some((path, alias)) => (path, Some(alias.trim().to_owned())),
                None => (leaf.as_str(), None),
            };
            found.push(UsedPath {
                path: segments(path),
                alias,
                is_public,
            });
        }
    }
    found
}

/// A `use` declaration: where it stands, from the beginning of its line to its semicolon, and its tree.
struct Declaration<'c> {
    start: usize,
    end: usize,
    tree: &'c str,
    is_public: bool,
}

fn declarations(code: &str) -> Vec<Declaration<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in code.split_inclusive('\n') {
        let (text, at) = (line.trim_start(), start);
        start += line.len();
        let bare = match text.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or(text, |(_, rest)| rest),
            Some(rest) => rest.trim_start(),
            None => text,
        };
        let Some(tree) = bare.strip_prefix("use ") else {
            continue;
        };
        let tree_at = at + line.len() - tree.len();
        if let Some(length) = code[tree_at..].find(';') {
            let end = tree_at + length;
            found.push(Declaration {
                start: at,
                end,
                tree: &code[tree_at..end],
                is_public: text.starts_with("pub"),
            });
        }
    }
    found
}

/// `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, group)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let mut members = vec![String::new()];
    let mut depth = 0;
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => members.push(String::new()),
            _ => members.last_mut().unwrap().push(c),
        }
    }
    let members = members.iter().filter(|member| !member.trim().is_empty());
    members
        .flat_map(|member| leaves(member))
        .map(|leaf| format!("{prefix}{leaf}"))
        .collect()
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(|part| part.trim().to_owned()).collect()
}

/// Paths inside of code, such as `super::names::is_name(…)`; declarations and visibilities left out.
fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let mut rest = String::with_capacity(code.len());
    let mut from = 0;
    for declaration in declarations(code) {
        rest.push_str(&code[from..declaration.start]);
        from = declaration.end;
    }
    rest.push_str(&code[from..]);
    // A visibility names a module, and needs nothing of it.
    let rest = rest.replace("pub(in crate::", "pub( ");
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = rest.split(|c: char| !is_part(c));
    words
        .filter(|word| word.contains("::") && word.starts_with(|c: char| c.is_ascii_lowercase() || c == '_'))
        .map(|word| segments(word.trim_end_matches(':')))
        .collect()
}

/// A path from the crate on, if it leads into the crate: by `crate`, `super`, `self`, or by the name of a child module.
fn resolved(path: &[String], module: &Module, files: &BTreeMap<Module, (&str, String)>) -> Option<Module> {
    let first = path.first()?;
    if first == "crate" {
        return Some(path[1..].to_vec());
    }
    if files.contains_key(&below(module, [first.clone()])) {
        return Some(below(module, path.iter().cloned()));
    }
    let ups = path
        .iter()
        .take_while(|part| *part == "super" || *part == "self")
        .count();
    if ups == 0 {
        return None;
    }
    let mut base = module.clone();
    for part in &path[..ups] {
        if part == "super" {
            base.pop();
        }
    }
    Some(below(&base, path[ups..].iter().cloned()))
}
