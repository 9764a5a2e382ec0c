//! Many patterns over one text, the lowest number wins.
//!
//! Literals stand in a hash map. A glob stands under its literal beginning in a trie, or, where it begins with a special
//! character, under its literal end in a trie read backwards: a lookup walks as far as the text agrees and tests only
//! the globs it meets. One `GlobSet` over all of them does the same work in several times the time (a set of regular
//! expressions runs through the whole text for every lookup), which is why there is none.

use rustc_hash::FxHashMap;

use super::pattern::Pattern;

/// No number: larger than any.
pub(super) const NONE: u32 = u32::MAX;

/// How deep a trie goes. Deeper nodes would separate little that the comparison of the rest does not.
const TRIE_DEPTH: usize = 12;

/// Patterns with numbers; several patterns may share a number, and several numbers a pattern.
#[derive(Debug)]
pub(super) struct TextIndex {
    literals: FxHashMap<Box<[u8]>, Vec<u32>>,
    globs: Vec<(u32, Pattern)>,
    by_prefix: Trie,
    by_suffix: Trie,
    /// Positions in `globs` of those with neither: `*`, `[a-z]*`.
    others: Vec<u32>,
    lowest: u32,
    lowest_glob: u32,
}

impl Default for TextIndex {
    fn default() -> Self {
        Self {
            literals: FxHashMap::default(),
            globs: Vec::new(),
            by_prefix: Trie::default(),
            by_suffix: Trie::default(),
            others: Vec::new(),
            lowest: NONE,
            lowest_glob: NONE,
        }
    }
}

impl TextIndex {
    /// Adds a pattern. Numbers must come in rising order, which makes every list below sorted.
    pub(super) fn add(&mut self, number: u32, pattern: &Pattern) {
        self.lowest = self.lowest.min(number);
        if let Some(literal) = pattern.literal() {
            self.add_literal(number, literal);
            return;
        }
        self.lowest_glob = self.lowest_glob.min(number);
        let position = self.globs.len() as u32;
        let (prefix, suffix) = pattern.ends();
        if !prefix.is_empty() {
            self.by_prefix.insert(prefix.iter().copied(), position);
        } else if !suffix.is_empty() {
            self.by_suffix.insert(suffix.iter().rev().copied(), position);
        } else {
            self.others.push(position);
        }
        self.globs.push((number, pattern.clone()));
    }

    /// Adds a literal in lower case.
    pub(super) fn add_literal(&mut self, number: u32, literal: &[u8]) {
        self.lowest = self.lowest.min(number);
        let numbers = self.literals.entry(literal.into()).or_default();
        if numbers.last() != Some(&number) {
            numbers.push(number);
        }
    }

    /// The lowest number below `best` whose pattern matches and which `accept` takes; else `best`.
    pub(super) fn lowest(&self, text: &[u8], mut best: u32, accept: impl Fn(u32) -> bool) -> u32 {
        if self.lowest >= best {
            return best;
        }
        if !self.literals.is_empty()
            && let Some(numbers) = self.literals.get(text)
        {
            let found = numbers
                .iter()
                .take_while(|&&number| number < best)
                .find(|&&number| accept(number));
            best = found.copied().unwrap_or(best);
        }
        if self.lowest_glob >= best {
            return best;
        }
        let mut test = |positions: &[u32]| {
            for &position in positions {
                let (number, pattern) = &self.globs[position as usize];
                if *number >= best {
                    break;
                }
                if pattern.matches(text) && accept(*number) {
                    best = *number;
                    break;
                }
            }
        };
        self.by_prefix.walk(text.iter().copied(), &mut test);
        self.by_suffix.walk(text.iter().rev().copied(), &mut test);
        test(&self.others);
        best
    }
}

/// A byte trie; nodes hold positions of globs.
#[derive(Debug, Default)]
struct Trie {
    nodes: Vec<TrieNode>,
}

#[derive(Debug, Default)]
struct TrieNode {
    children: Vec<(u8, u32)>,
    here: Vec<u32>,
}

impl TrieNode {
    fn child(&self, byte: u8) -> Option<usize> {
        self.children
            .iter()
            .find(|(b, _)| *b == byte)
            .map(|&(_, child)| child as usize)
    }
}

impl Trie {
    fn insert(&mut self, key: impl Iterator<Item = u8>, position: u32) {
        if self.nodes.is_empty() {
            self.nodes.push(TrieNode::default());
        }
        let mut at = 0;
        for byte in key.take(TRIE_DEPTH) {
            at = self.nodes[at].child(byte).unwrap_or_else(|| {
                let child = self.nodes.len();
                self.nodes.push(TrieNode::default());
                self.nodes[at].children.push((byte, child as u32));
                child
            });
        }
        self.nodes[at].here.push(position);
    }

    fn walk(&self, text: impl Iterator<Item = u8>, test: &mut impl FnMut(&[u32])) {
        let Some(mut node) = self.nodes.first() else { return };
        for byte in text {
            let Some(child) = node.child(byte) else { return };
            node = &self.nodes[child];
            if !node.here.is_empty() {
                test(&node.here);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_number_wins_whatever_its_shape() {
        let mut index = TextIndex::default();
        let patterns = [
            "*.org",
            "gerrit*",
            "gerrit.wikimedia.org",
            "*",
            "gerrit.*.org",
            "[a-z]*",
        ];
        for (number, pattern) in patterns.iter().enumerate() {
            index.add(number as u32, &Pattern::compile(pattern).unwrap());
        }
        assert_eq!(index.lowest(b"gerrit.wikimedia.org", NONE, |_| true), 0);
        for refused in 0..6 {
            assert_eq!(
                index.lowest(b"gerrit.wikimedia.org", NONE, |n| n > refused),
                if refused < 5 { refused + 1 } else { NONE }
            );
        }
        assert_eq!(index.lowest(b"1", NONE, |_| true), 3);
        assert_eq!(index.lowest(b"1", 2, |_| true), 2);
    }

    #[test]
    fn long_beginnings_share_a_node() {
        let mut index = TextIndex::default();
        index.add(0, &Pattern::compile("averyveryverylongname-a*").unwrap());
        index.add(1, &Pattern::compile("averyveryverylongname-b*").unwrap());
        assert_eq!(index.lowest(b"averyveryverylongname-b1", NONE, |_| true), 1);
        assert_eq!(index.lowest(b"averyvery", NONE, |_| true), NONE);
    }
}
