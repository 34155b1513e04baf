//! Table statistics, features and table-mod.

use crate::bench::{Bench, XID, add, flow_mod, frame, output, request};
use ofagent::agent::ConnId;
use ofagent::wire::error::{WireError, kind, table_features_failed, table_mod_failed};
use ofagent::wire::multipart::table::{TableFeatures, TableProperty};
use ofagent::wire::multipart::{MultipartRequest, ReplyBody, RequestBody};
use ofagent::wire::table_mod::TableMod;
use ofagent::wire::{Message, TABLE_ALL};

fn features(b: &mut Bench, c: ConnId, wanted: Vec<TableFeatures>) -> Vec<TableFeatures> {
    let mut tables = Vec::new();
    for part in b.parts(c, RequestBody::TableFeatures(wanted)) {
        let ReplyBody::TableFeatures(some) = part else { panic!("{part:?}") };
        tables.extend(some);
    }
    tables
}

#[test]
fn tables_are_counted() {
    let mut b = Bench::new(2);
    let c = b.controller();
    b.tell(c, &flow_mod(add(1, vec![crate::bench::basic(0, 1)], vec![output(2)])));
    b.put(1, &frame(2, 1));
    b.put(2, &frame(1, 2));
    assert!(b.next(2).is_some());
    std::thread::sleep(crate::bench::QUIET);
    b.switch.barrier();
    let ReplyBody::Table(tables) = b.multipart(c, RequestBody::Table) else { panic!() };
    assert_eq!(tables.len(), 254);
    let t = tables[0];
    assert_eq!((t.table_id, t.active_count, t.lookup_count, t.matched_count), (0, 1, 2, 1));
    assert_eq!((tables[253].table_id, tables[253].active_count), (253, 0));
}

#[test]
fn table_features_may_be_set_to_what_they_are() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let ours = features(&mut b, c, vec![]);
    assert_eq!(ours.len(), 254);
    assert_eq!((ours[3].table_id, ours[3].name.as_str()), (3, "table3"));
    assert!(
        matches!(&ours[0].properties[0], TableProperty::Instructions { kinds, .. } if kinds.len() == 6)
    );
    assert!(
        matches!(&ours[253].properties[1], TableProperty::NextTables { tables, .. } if tables.is_empty())
    );
    assert!(matches!(&ours[0].properties[4], TableProperty::Match(fields) if fields.len() == 40));

    // In several messages, as so many tables need.
    let halves = ours.chunks(50);
    let last = halves.len() - 1;
    for (i, half) in halves.enumerate() {
        let body = RequestBody::TableFeatures(half.to_vec());
        let request = MultipartRequest { more: i < last, body };
        b.send(c, &Message::MultipartRequest(request));
    }
    let got = b.received(c);
    assert!(got.iter().all(|(xid, m)| *xid == XID && matches!(m, Message::MultipartReply(_))));

    let mut refused =
        |tables: Vec<TableFeatures>| b.refused(c, &request(RequestBody::TableFeatures(tables)));
    let of = |code| WireError::new(kind::TABLE_FEATURES_FAILED, code);
    let one = || ours[0].clone();
    assert_eq!(refused(vec![one()]), of(table_features_failed::EPERM), "the others removed");
    let other = TableFeatures { max_entries: 5, ..one() };
    assert_eq!(refused(vec![other]), of(table_features_failed::EPERM));
    let other = TableFeatures { metadata_match: 5, ..one() };
    assert_eq!(refused(vec![other]), of(table_features_failed::BAD_METADATA));
    let other = TableFeatures { table_id: 254, ..one() };
    assert_eq!(refused(vec![other]), of(table_features_failed::BAD_TABLE));
}

#[test]
fn a_request_without_end_is_ended() {
    let mut b = Bench::new(0);
    let c = b.controller();
    let ours = features(&mut b, c, vec![]);
    let mut answers = Vec::new();
    for _ in 0..20 {
        let body = RequestBody::TableFeatures(ours[..40].to_vec());
        b.send(c, &Message::MultipartRequest(MultipartRequest { more: true, body }));
        answers.extend(b.received(c));
    }
    let overflow = WireError::bad_request(13);
    assert_eq!(answers.len(), 1);
    assert!(matches!(&answers[0].1, Message::Error(e) if e.error == overflow));
}

#[test]
fn a_table_mod_is_kept_though_it_means_nothing() {
    let mut b = Bench::new(0);
    let c = b.controller();
    b.tell(c, &Message::TableMod(TableMod { table_id: 5, config: 3 }));
    assert_eq!(features(&mut b, c, vec![])[5].config, 3);
    b.tell(c, &Message::TableMod(TableMod { table_id: TABLE_ALL, config: 0 }));
    assert_eq!(features(&mut b, c, vec![])[5].config, 0);
    let of = |code| WireError::new(kind::TABLE_MOD_FAILED, code);
    let bad = Message::TableMod(TableMod { table_id: 254, config: 0 });
    assert_eq!(b.refused(c, &bad), of(table_mod_failed::BAD_TABLE));
    let bad = Message::TableMod(TableMod { table_id: 1, config: 4 });
    assert_eq!(b.refused(c, &bad), of(table_mod_failed::BAD_CONFIG));
}
