//! Writes small databases in MaxMind's format, by its specification
//! (<https://maxmind.github.io/MaxMind-DB/>): search tree of 24-bit records over IPv6, data, metadata. Addresses of
//! IPv4 lie below `::/96`.

/// A value of a record.
pub(crate) enum Value {
    Text(&'static str),
    Number(u32),
    Map(Vec<(&'static str, Value)>),
}

/// A database that calls itself `kind`, with a record for each network.
pub(crate) fn database(kind: &'static str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut nodes = vec![[Record::Empty; 2]];
    for (network, value) in networks {
        let (bits, length) = prefix(network);
        let record = Record::Data(data.len());
        encode(value, &mut data);
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[node][side] = record;
                break;
            }
            node = match nodes[node][side] {
                Record::Node(next) => next,
                _ => {
                    nodes.push([Record::Empty; 2]);
                    nodes[node][side] = Record::Node(nodes.len() - 1);
                    nodes.len() - 1
                }
            };
        }
    }
    let mut bytes = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match record {
            Record::Empty => nodes.len(),
            Record::Node(next) => *next,
            Record::Data(offset) => nodes.len() + 16 + offset,
        };
        bytes.extend(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
    }
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    let count = u32::try_from(nodes.len()).unwrap();
    metadata(kind, count, &mut bytes);
    bytes
}

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

fn prefix(network: &str) -> (u128, usize) {
    let (address, length) = network.split_once('/').unwrap();
    let length: usize = length.parse().unwrap();
    match address.parse().unwrap() {
        std::net::IpAddr::V4(address) => (u128::from(u32::from(address)), 96 + length),
        std::net::IpAddr::V6(address) => (u128::from(address), length),
    }
}

fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (small, rest) = if size < 29 { (size, None) } else { (29, Some(size - 29)) };
    let small = u8::try_from(small).unwrap();
    // Types above 7 are written in a byte of their own.
    if kind > 7 {
        out.extend([small, kind - 7]);
    } else {
        out.push(kind << 5 | small);
    }
    out.extend(rest.map(|rest| u8::try_from(rest).unwrap()));
}

fn text(text: &str, out: &mut Vec<u8>) {
    control(2, text.len(), out);
    out.extend(text.as_bytes());
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(value) => text(value, out),
        Value::Number(number) => unsigned(6, u64::from(*number), out),
        Value::Map(entries) => {
            control(7, entries.len(), out);
            for (name, value) in entries {
                text(name, out);
                encode(value, out);
            }
        }
    }
}

/// An unsigned number of a type, without its leading zeros.
fn unsigned(kind: u8, number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    control(kind, bytes.len(), out);
    out.extend(bytes);
}

fn metadata(kind: &str, nodes: u32, out: &mut Vec<u8>) {
    const UINT16: u8 = 5;
    const UINT32: u8 = 6;
    const UINT64: u8 = 9;
    const ARRAY: u8 = 11;
    control(7, 9, out);
    for (name, number_type, number) in [
        ("binary_format_major_version", UINT16, 2),
        ("binary_format_minor_version", UINT16, 0),
        ("build_epoch", UINT64, 1_767_225_600),
        ("ip_version", UINT16, 6),
        ("node_count", UINT32, u64::from(nodes)),
        ("record_size", UINT16, 24),
    ] {
        text(name, out);
        unsigned(number_type, number, out);
    }
    text("database_type", out);
    text(kind, out);
    text("description", out);
    encode(&Value::Map(vec![("en", Value::Text("made by a test"))]), out);
    text("languages", out);
    control(ARRAY, 0, out);
}
