//! Features, configuration, descriptions, barriers, queues, and what nobody knows.

use crate::bench::{Bench, DATAPATH_ID, add, flow_mod, frame, output, request};
use ofagent::agent::ConnKind;
use ofagent::wire::error::{ErrorMessage, WireError, bad_request, kind, queue_op_failed};
use ofagent::wire::experimenter::{Experimenter, NICIRA};
use ofagent::wire::features::SwitchConfig;
use ofagent::wire::multipart::queue::QueueStatsRequest;
use ofagent::wire::multipart::{MultipartRequest, ReplyBody, RequestBody};
use ofagent::wire::queue::QueueConfigReply;
use ofagent::wire::{Message, PORT_ANY};

#[test]
fn features_config_and_desc() {
    let mut b = Bench::new(2);
    let c = b.controller();
    let Message::FeaturesReply(f) = b.ask(c, &Message::FeaturesRequest) else { panic!() };
    assert_eq!((f.datapath_id, f.n_buffers, f.n_tables), (DATAPATH_ID, 256, 254));
    assert_eq!((f.auxiliary_id, f.capabilities), (0, 0x4f));

    let config = |flags, miss_send_len| SwitchConfig { flags, miss_send_len };
    let get = Message::GetConfigRequest;
    assert_eq!(b.ask(c, &get), Message::GetConfigReply(config(0, 128)));
    b.tell(c, &Message::SetConfig(config(0, 0xffff)));
    assert_eq!(b.ask(c, &get), Message::GetConfigReply(config(0, 0xffff)));
    // Nothing reassembles here.
    let refused = b.refused(c, &Message::SetConfig(config(2, 1)));
    assert_eq!(refused, WireError::new(kind::SWITCH_CONFIG_FAILED, 0));
    assert_eq!(b.ask(c, &get), Message::GetConfigReply(config(0, 0xffff)));
    // Each connection has its own.
    let other = b.controller();
    assert_eq!(b.ask(other, &get), Message::GetConfigReply(config(0, 128)));

    let ReplyBody::Desc(desc) = b.multipart(c, RequestBody::Desc) else { panic!() };
    assert_eq!((desc.mfr_desc.as_str(), desc.dp_desc.as_str()), ("vxswitch", "br0"));
}

#[test]
fn an_echo_comes_back_as_it_was() {
    let mut b = Bench::new(0);
    let c = b.controller();
    let echo = vec![1, 2, 3, 4, 5];
    assert_eq!(b.ask(c, &Message::EchoRequest(echo.clone())), Message::EchoReply(echo));
}

/// What came before a barrier is in force when its answer leaves, and stays so.
#[test]
fn a_barrier_ends_what_came_before() {
    let mut b = Bench::new(2);
    let c = b.controller();
    for i in 0..200u8 {
        let actions = if i % 2 == 0 { vec![output(2)] } else { vec![] };
        b.tell(c, &flow_mod(add(1, vec![], actions)));
        assert_eq!(b.ask(c, &Message::BarrierRequest), Message::BarrierReply);
        b.put(1, &frame(2, 1));
        if i % 2 == 0 {
            assert_eq!(b.next(2), Some(frame(2, 1)));
        } else {
            b.await_received(1, u64::from(i) + 1);
            assert_eq!(b.ports[1].sent().len(), 0, "by the flow of before");
        }
    }
}

#[test]
fn errors_echo_the_message_and_the_connection_lives_on() {
    let mut b = Bench::new(0);
    let c = b.controller();
    // A type that does not exist, 100 bytes.
    let mut raw = vec![4, 99, 0, 100, 0, 0, 0, 7];
    raw.resize(100, 0xaa);
    b.send_raw(c, &raw);
    let mut got = b.received(c);
    let error = WireError::bad_request(bad_request::BAD_TYPE);
    assert_eq!(got.remove(0), (7, Message::Error(ErrorMessage { error, data: raw })));
    // Messages that are for controllers.
    for message in [Message::BarrierReply, Message::FeaturesRequest] {
        let answer = b.ask(c, &message);
        match message {
            Message::BarrierReply => {
                assert!(matches!(answer, Message::Error(e) if e.error == error));
            }
            _ => assert!(matches!(answer, Message::FeaturesReply(_))),
        }
    }
}

#[test]
fn unknown_experimenters_are_told_so() {
    let mut b = Bench::new(0);
    let c = b.controller();
    let other = |experimenter| {
        let data = vec![0; 8];
        Message::Experimenter(Experimenter::Other { experimenter, exp_type: 1, data })
    };
    let bad = WireError::bad_request;
    assert_eq!(b.refused(c, &other(0x4f4e_4600)), bad(bad_request::BAD_EXPERIMENTER));
    assert_eq!(b.refused(c, &other(NICIRA)), bad(bad_request::BAD_EXP_TYPE));
    let format = |n| Message::Experimenter(Experimenter::SetPacketInFormat(n));
    b.tell(c, &format(0));
    assert_eq!(b.refused(c, &format(2)), bad(bad_request::BAD_EXP_TYPE));
    let multipart = RequestBody::Experimenter { experimenter: 1, exp_type: 2, data: vec![] };
    assert_eq!(b.refused(c, &request(multipart)), bad(bad_request::BAD_EXPERIMENTER));
    let endless = MultipartRequest { more: true, body: RequestBody::Desc };
    let overflow = bad(bad_request::MULTIPART_BUFFER_OVERFLOW);
    assert_eq!(b.refused(c, &Message::MultipartRequest(endless)), overflow);
}

#[test]
fn ports_have_no_queues() {
    let mut b = Bench::new(1);
    let c = b.controller();
    for port in [1, PORT_ANY] {
        let reply = QueueConfigReply { port, queues: vec![] };
        let answer = b.ask(c, &Message::QueueGetConfigRequest(port));
        assert_eq!(answer, Message::QueueGetConfigReply(reply));
        let all = RequestBody::Queue(QueueStatsRequest { port_no: port, queue_id: u32::MAX });
        assert_eq!(b.multipart(c, all), ReplyBody::Queue(vec![]));
    }
    let bad = |code| WireError::new(kind::QUEUE_OP_FAILED, code);
    let bad_port = bad(queue_op_failed::BAD_PORT);
    assert_eq!(b.refused(c, &Message::QueueGetConfigRequest(9)), bad_port);
    let stats =
        |port_no, queue_id| request(RequestBody::Queue(QueueStatsRequest { port_no, queue_id }));
    assert_eq!(b.refused(c, &stats(9, u32::MAX)), bad_port);
    assert_eq!(b.refused(c, &stats(1, 3)), bad(queue_op_failed::BAD_QUEUE));
}

#[test]
fn a_connection_that_has_ended_is_not_served() {
    let mut b = Bench::new(0);
    let c = b.agent.connected(ConnKind::Service);
    b.agent.disconnected(c);
    b.send(c, &Message::FeaturesRequest);
    assert!(b.agent.outbox(c).is_none());
    assert_ne!(b.controller(), c, "numbers of connections are not used again");
}
