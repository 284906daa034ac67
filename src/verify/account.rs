//! Counting what was found, in an order that does not depend on threads.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::model::summary::FileTally;
use crate::model::DocumentKind;

use super::batch::Checked;
use super::outcome::{Difference, Documents, Listed, TableCount, Verdict};
use super::waivers::Waivers;

/// Where a result stands in the order of the walk; what only the database has comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(pub u64, pub u64);

impl Order {
    /// After every file.
    pub const LAST: u64 = u64::MAX;
}

/// Documents that are listed, at most, beside the differences.
const MOST_LISTED: usize = 1_000;

/// The account of a verification.
pub struct Account<'a> {
    waivers: &'a Waivers,
    most: usize,
    pub files: FileTally,
    pub documents: Documents,
    pub kinds: BTreeMap<&'static str, Documents>,
    pub tables: BTreeMap<&'static str, TableCount>,
    pub by_columns: u64,
    pub accepted: u64,
    pub differences: u64,
    pub waived: u64,
    pub waived_documents: u64,
    pub causes: BTreeMap<&'static str, u64>,
    pub skipped: u64,
    kept: BTreeMap<Order, Vec<Difference>>,
    kept_count: usize,
    listed: BTreeMap<Order, Listed>,
}

impl<'a> Account<'a> {
    pub fn new(
        waivers: &'a Waivers,
        most: usize,
        kinds: &[&'static DocumentKind],
        tables: impl Iterator<Item = &'static str>,
    ) -> Account<'a> {
        Account {
            waivers,
            most,
            files: FileTally::default(),
            documents: Documents::default(),
            // A line for each, so that an empty one is seen to be empty.
            kinds: kinds.iter().map(|kind| (kind.name, Documents::default())).collect(),
            tables: tables.map(|table| (table, TableCount::default())).collect(),
            by_columns: 0,
            accepted: 0,
            differences: 0,
            waived: 0,
            waived_documents: 0,
            causes: BTreeMap::new(),
            skipped: 0,
            kept: BTreeMap::new(),
            kept_count: 0,
            listed: BTreeMap::new(),
        }
    }

    /// Counts a document's final judgement; returns whether all of its differences are waived.
    pub fn document(&mut self, order: Order, checked: Checked) -> bool {
        let Checked { document, judged, .. } = checked;
        let kind = document.kind.name;
        self.documents.count(judged.verdict);
        self.kinds.entry(kind).or_default().count(judged.verdict);
        for (table, count) in judged.tables {
            let sum = self.tables.entry(table).or_default();
            sum.rows += count.rows;
            sum.values += count.values;
            sum.differences += count.differences;
        }
        self.by_columns += u64::from(judged.by_columns);
        self.accepted += u64::from(judged.accepted);
        let waived = self.differences(order, judged.differences);
        // Differences beyond those that a document keeps are never waived: nobody saw them.
        for (cause, count) in judged.unseen {
            self.differences += count;
            *self.causes.entry(cause.code()).or_default() += count;
        }
        let all_waived = judged.total > 0 && waived == judged.total;
        self.waived_documents += u64::from(all_waived);
        if !matches!(judged.verdict, Verdict::Agreed | Verdict::Different) {
            let listed = Listed {
                document: document.id,
                kind,
                file: document.path().to_text(),
                verdict: judged.verdict,
                text: judged.text,
                accepted: judged.accepted || all_waived,
            };
            self.list(order, listed);
        }
        all_waived
    }

    /// Counts differences that are no document's, or one's; returns how many are waived.
    pub fn differences(&mut self, order: Order, mut differences: Vec<Difference>) -> u64 {
        let mut waived = 0;
        for difference in &mut differences {
            match self.waivers.covering(difference) {
                Some(waiver) => {
                    difference.waived = Some(waiver.reason.clone());
                    waived += 1;
                }
                None => {
                    self.differences += 1;
                    *self.causes.entry(difference.cause.code()).or_default() += 1;
                }
            }
        }
        self.waived += waived;
        if !differences.is_empty() {
            self.kept_count += differences.len();
            self.kept.entry(order).or_default().extend(differences);
            while self.kept_count > self.most {
                let Some(mut last) = self.kept.last_entry() else { break };
                last.get_mut().pop();
                self.kept_count -= 1;
                if last.get().is_empty() {
                    last.remove();
                }
            }
        }
        waived
    }

    /// Counts a document that only rows tell of.
    pub fn only_in_database(
        &mut self,
        order: Order,
        kind: &'static str,
        document: Uuid,
        name: String,
        differences: Vec<Difference>,
    ) {
        self.documents.count(Verdict::OnlyInDatabase);
        self.kinds.entry(kind).or_default().count(Verdict::OnlyInDatabase);
        let count = differences.len() as u64;
        for difference in &differences {
            let table = self.tables.iter_mut().find(|(name, _)| Some(**name) == difference.table.as_deref());
            table.into_iter().for_each(|(_, count)| count.differences += 1);
        }
        let all_waived = self.differences(order, differences) == count;
        self.waived_documents += u64::from(all_waived);
        let text = format!("{count} rows that no document has: {name}");
        let verdict = Verdict::OnlyInDatabase;
        let listed = Listed { document, kind, file: String::new(), verdict, text, accepted: all_waived };
        self.list(order, listed);
    }

    fn list(&mut self, order: Order, listed: Listed) {
        self.listed.insert(order, listed);
        if self.listed.len() > MOST_LISTED {
            self.listed.pop_last();
        }
    }

    /// The differences that were kept, in order.
    pub fn take_differences(&mut self) -> Vec<Difference> {
        std::mem::take(&mut self.kept).into_values().flatten().collect()
    }

    pub fn take_listed(&mut self) -> Vec<Listed> {
        std::mem::take(&mut self.listed).into_values().collect()
    }
}
