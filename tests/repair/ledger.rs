//! Rows of the ledger that are lost or not what transload wrote.

use crate::bench::{counted, told, Bench};

const OF_C1: &str = "(SELECT id FROM ledger.documents WHERE doc_key = 'c1')";

fn c1() -> String {
    // By its key alone, for when its row is gone.
    transload::model::ids::document("chats", "c1").to_string()
}

pub fn lost_rows_of_the_ledger_are_written_again(bench: &Bench) {
    let before = bench.migrated();
    let id = c1();
    for sql in [
        vec![format!("DELETE FROM ledger.documents WHERE id = '{id}'")],
        vec![format!("DELETE FROM ledger.residue WHERE document_id = '{id}' AND part = 0")],
        vec![format!("DELETE FROM ledger.residue WHERE document_id = '{id}' AND part = 1")],
        vec![format!("DELETE FROM ledger.residue WHERE document_id = '{id}'")],
        vec![
            format!("DELETE FROM ledger.residue WHERE document_id = '{id}'"),
            format!("DELETE FROM ledger.documents WHERE id = '{id}'"),
        ],
        // With rows that were edited as well.
        vec![
            format!("DELETE FROM ledger.residue WHERE document_id = '{id}'"),
            "UPDATE messages SET content = 'x' WHERE content = 'two'".to_owned(),
            "DELETE FROM messages WHERE content = 'three'".to_owned(),
        ],
        // All of it.
        vec![
            format!("DELETE FROM ledger.residue WHERE document_id = '{id}'"),
            format!("DELETE FROM ledger.documents WHERE id = '{id}'"),
            "DELETE FROM chat_sessions WHERE chat_id = 'c1'".to_owned(),
        ],
    ] {
        sql.iter().for_each(|sql| bench.world.execute(sql));
        assert_eq!(told(&bench.repair()), ["chat_sessions/c1.json: repaired"], "{sql:?}");
        bench.content().assert_is(&before, &format!("{sql:?}"));
    }
    for (kind, key, file) in [
        ("users", "ada", "users/ada.json"),
        ("memory", "ada", "memory/ada.json"),
        ("logs", "logs/info.log", "logs/info.log"),
    ] {
        let id = transload::model::ids::document(kind, key);
        bench.world.execute(&format!("DELETE FROM ledger.residue WHERE document_id = '{id}'"));
        bench.world.execute(&format!("DELETE FROM ledger.documents WHERE id = '{id}'"));
        let reports = bench.repair_all();
        let repaired: Vec<String> = reports.iter().flat_map(told).filter(|told| told.ends_with("repaired")).collect();
        assert_eq!(repaired, [format!("{file}: repaired")]);
        assert!(reports.iter().all(|report| bench.saved(report).is_empty()));
        bench.content().assert_is(&before, file);
    }
    let differences = bench.verify();
    assert_eq!(differences.differences, 0, "{:?}", differences.listed_differences);
}

pub fn edited_rows_of_the_ledger_are_written_again(bench: &Bench) {
    let before = bench.migrated();
    let zeros = if bench.world.is_sqlite() { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" };
    let none = if bench.world.is_sqlite() { "x''" } else { "''::bytea" };
    let documents = |set: &str| format!("UPDATE ledger.documents SET {set} WHERE doc_key = 'c1'");
    let residue = |set: &str| format!("UPDATE ledger.residue SET {set} WHERE document_id = {OF_C1} AND part = 1");
    for sql in [
        documents("bytes = bytes + 1"),
        documents("kind = 'nothing'"),
        documents("base_time = '2001-01-01T00:00:00.000000Z'"),
        documents(&format!("digest = {zeros}")),
        documents("files = '[]'"),
        documents("files = '[{\"path\":\"chat_sessions/c2.json\"}]'"),
        documents("notes = '[{\"code\":\"adopted\",\"pointer\":\"\"}]'"),
        documents("row_id = NULL"),
        documents("reference = 'bob'"),
        documents("bytes = -1"),
        documents("seal = NULL"),
        residue("seal = NULL"),
        residue("data = NULL"),
        residue("data = '{\"rows\":[]}'"),
        residue("table_name = 'users'"),
        residue("table_name = 'nothing'"),
        residue("part = 7"),
        residue(&format!("row_ids = {none}, row_digests = {none}")),
    ] {
        bench.world.execute(&sql);
        let report = bench.repair();
        assert_eq!(told(&report), ["chat_sessions/c1.json: repaired"], "{sql}");
        bench.content().assert_is(&before, &sql);
        let table = if sql.starts_with("UPDATE ledger.documents") { "documents" } else { "residue" };
        let action = if table == "documents" { "update" } else { "delete" };
        assert_eq!(counted(&bench.saved(&report)), [format!("1 {action} {table}")], "{sql}");
    }
    assert_eq!(bench.verify().differences, 0);
}

pub fn a_forged_ledger_harms_no_other_document(bench: &Bench) {
    let before = bench.migrated();
    let c2 = "(SELECT id FROM ledger.documents WHERE doc_key = 'c2')";
    let of_c2 = |column: &str, part: u8| {
        format!("(SELECT {column} FROM ledger.residue WHERE document_id = {c2} AND part = {part})")
    };
    for sql in [
        // It says that another chat's rows are its own.
        "UPDATE ledger.documents SET row_id = (SELECT id FROM chat_sessions WHERE chat_id = 'c2') WHERE doc_key = 'c1'".to_owned(),
        format!(
            "UPDATE ledger.residue SET row_ids = {}, row_digests = {} WHERE document_id = {OF_C1} AND part = 1",
            of_c2("row_ids", 1),
            of_c2("row_digests", 1)
        ),
        format!(
            "UPDATE ledger.residue SET row_ids = {}, row_digests = {} WHERE document_id = {OF_C1} AND part = 0",
            of_c2("row_ids", 0),
            of_c2("row_digests", 0)
        ),
        // Both say so, and its own row is gone.
        format!(
            "UPDATE ledger.documents SET row_id = (SELECT id FROM chat_sessions WHERE chat_id = 'c2') WHERE doc_key = 'c1';
             UPDATE ledger.residue SET row_ids = {}, row_digests = {} WHERE document_id = {OF_C1} AND part = 0;
             DELETE FROM chat_sessions WHERE chat_id = 'c1'",
            of_c2("row_ids", 0),
            of_c2("row_digests", 0)
        ),
    ] {
        bench.world.execute(&sql);
        assert_eq!(told(&bench.repair()), ["chat_sessions/c1.json: repaired"], "{sql}");
        bench.content().assert_is(&before, &sql);
    }
}

pub fn rejects_are_put_right(bench: &Bench) {
    let before = bench.migrated();
    for sql in [
        "DELETE FROM ledger.rejects",
        "UPDATE ledger.rejects SET reason = 'too_large'",
        "UPDATE ledger.rejects SET state = 'accepted', accepted_because = 'x', accepted_at = '2001-01-01T00:00:00.000000Z'",
    ] {
        bench.world.execute(sql);
        let report = bench.repair();
        assert_eq!(told(&report), [""; 0]);
        assert_eq!(report.account.summary.documents.rejected, 1);
        bench.content().assert_is(&before, sql);
    }
    // A reject that is none any more, and a document that has become one.
    bench.world.json("users/broken.json", &crate::world::user("broken", serde_json::json!({})));
    bench.world.write("users/bob.json", "{");
    let report = bench.repair();
    assert_eq!(told(&report), ["users/bob.json: rejected", "users/broken.json: repaired"]);
    assert_eq!(bench.world.values("SELECT doc_key FROM ledger.rejects"), ["bob"]);
    assert_eq!(bench.world.value("SELECT count(*) FROM users WHERE name = 'Bob'"), "1");
}
