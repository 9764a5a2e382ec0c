//! What is kept of the rows of a scan: parts come as rows pass, and are put together whenever they are as many as what they
//! make.

use super::groups::Grouped;
use super::parts::{PENDING_ROWS, compact, joined};
use super::spec::Reduction;
use crate::store::columnar::ColumnarError;
use polars::prelude::{DataFrame, IntoLazy, SortMultipleOptions, UniqueKeepStrategy, col};

/// What a frame of rows adds.
pub(super) enum Part {
    Rows(DataFrame),
    Groups(Vec<DataFrame>),
}

/// What rows add to a fold.
pub(super) fn part(fold: &Reduction, rows: DataFrame, is_weighted: bool) -> Result<Part, ColumnarError> {
    Ok(match fold {
        Reduction::Groups { keys, made } => Part::Groups(Grouped::new(keys, made).part(&rows, is_weighted)?),
        fold => Part::Rows(reduced(fold, rows)?),
    })
}

/// Fewer rows that give the same.
fn reduced(fold: &Reduction, rows: DataFrame) -> Result<DataFrame, ColumnarError> {
    Ok(match fold {
        Reduction::Distinct => compact(rows.lazy().unique_stable(None, UniqueKeepStrategy::First).collect()?)?,
        Reduction::First(most) => compact(rows.head(Some(*most)))?,
        Reduction::Top { by, rows: most } if rows.height() > *most => {
            let names: Vec<_> = by.iter().map(|(name, ..)| col(name.as_str())).collect();
            let options = SortMultipleOptions::default()
                .with_order_descending_multi(by.iter().map(|(_, down, _)| *down))
                .with_nulls_last_multi(by.iter().map(|(.., first)| !first))
                .with_maintain_order(true);
            let top = rows.lazy().sort_by_exprs(names, options).collect()?;
            compact(top.head(Some(*most)))?
        }
        _ => compact(rows)?,
    })
}

/// What was kept so far.
pub(super) struct Folded<'f> {
    fold: &'f Reduction,
    groups: Option<Grouped<'f>>,
    kept: Vec<DataFrame>,
    rows: usize,
    /// Rows after they were last put together.
    settled: usize,
}

impl<'f> Folded<'f> {
    pub(super) fn new(fold: &'f Reduction) -> Self {
        let groups = match fold {
            Reduction::Groups { keys, made } => Some(Grouped::new(keys, made)),
            _ => None,
        };
        Folded {
            fold,
            groups,
            kept: Vec::new(),
            rows: 0,
            settled: 0,
        }
    }

    pub(super) fn add(&mut self, part: Part) -> Result<(), ColumnarError> {
        match part {
            Part::Groups(parts) => match &mut self.groups {
                Some(groups) => groups.add(parts),
                None => Ok(()),
            },
            Part::Rows(rows) => {
                self.rows += rows.height();
                self.kept.push(rows);
                if self.rows > PENDING_ROWS + 2 * self.settled
                    && !matches!(self.fold, Reduction::Rows | Reduction::First(_))
                {
                    let all = reduced(self.fold, joined(&mut self.kept)?)?;
                    (self.rows, self.settled) = (all.height(), all.height());
                    self.kept.push(all);
                }
                Ok(())
            }
        }
    }

    /// Whether more rows would change nothing.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.fold, Reduction::First(most) if self.rows >= *most)
    }

    /// Whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.groups.as_ref().is_none_or(Grouped::is_empty)
    }

    pub(super) fn finish(mut self) -> Result<DataFrame, ColumnarError> {
        match self.groups {
            Some(groups) => groups.finish(),
            None => reduced(self.fold, joined(&mut self.kept)?),
        }
    }
}
