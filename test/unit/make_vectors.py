#!/usr/bin/env python3
"""Make vectors.h: what src/core must answer, computed without src/core.

Usage: make_vectors.py rfc6962_vectors.json > vectors.h

The formats are written down here a second time, from their description in
src/core/*.h, so that a slip in one place shows against the other. They are
frozen: a change of this script may add vectors; one that alters a committed
vector would stop every ledger in the world from verifying.
"""

import hashlib
import hmac
import json
import struct
import sys

LOG_ID = bytes(range(0xA0, 0xB0))
I64_MIN, I64_MAX = -(2**63), 2**63 - 1
U64_MAX, U32_MAX = 2**64 - 1, 2**32 - 1

# Each format: its magic, and its fields in order. A "text" may be None: missing.
FORMATS = {
    "Event": (b"ATE1", [
        ("tx_id", "u64"), ("ordinal", "u32"), ("tx_at", "i64"), ("occurred_at", "i64"), ("op", "u8"),
        ("schema", "text"), ("table", "text"), ("resource_type", "text"), ("record_key", "text"),
        ("event_type", "text"), ("old_values", "text"), ("new_values", "text"), ("extra", "text"),
    ]),
    "Transaction": (b"ATX1", [
        ("tx_id", "u64"), ("tx_at", "i64"), ("committed_at", "i64"), ("xid", "u64"),
        ("session_id", "u64"), ("event_count", "u32"), ("digest", "hash"),
        ("system_identifier", "u64"), ("database_oid", "u32"), ("actor", "text"),
        ("actor_type", "text"), ("actor_source", "text"), ("db_user", "text"), ("db_role", "text"),
        ("application_name", "text"), ("request_id", "text"), ("reason", "text"),
        ("claimed_session", "text"), ("claimed_client_ip", "text"), ("trace_parent", "text"),
        ("extra", "text"), ("context_sources", "text"), ("session_digest", "text"),
    ]),
    "Session": (b"ATS1", [
        ("session_id", "u64"), ("started_at", "i64"), ("backend_pid", "u32"), ("client_port", "u32"),
        ("login_user", "text"), ("client_addr", "text"), ("application_name", "text"), ("tls", "text"),
    ]),
    "Entry": (b"ATL1", [
        ("log_index", "u64"), ("sealed_at", "i64"), ("incarnation", "u32"), ("kind", "text"),
        ("previous", "hash"), ("root", "hash"), ("leaf_count", "u64"), ("tx_count", "u64"),
        ("event_count", "u64"), ("first_tx_at", "i64"), ("last_tx_at", "i64"), ("snapshot", "text"),
        ("payload", "text"),
    ]),
}

PACK = {"u8": ">B", "u32": ">I", "u64": ">Q", "i64": ">q"}


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(data):
    return sha256(b"\x00" + data)


# ---- bodies ----

def encode(form, values):
    """The bytes of a body."""
    magic, fields = FORMATS[form]
    out = magic + LOG_ID
    for name, kind in fields:
        value = values[name]
        if kind in PACK:
            out += struct.pack(PACK[kind], value)
        elif kind == "hash":
            assert len(value) == 32
            out += value
        elif value is None:
            out += b"\xff\xff\xff\xff"
        else:
            out += struct.pack(">I", len(value)) + value
    return out


def uniform(form, text, end, digest=bytes(32)):
    """A body with one value in all texts, and one end of the range in all integers."""
    ends = {"low": {"u8": 0, "u32": 0, "u64": 0, "i64": I64_MIN},
            "zero": {"u8": 0, "u32": 0, "u64": 0, "i64": 0},
            "high": {"u8": 255, "u32": U32_MAX, "u64": U64_MAX, "i64": I64_MAX}}[end]
    return {name: text if kind == "text" else digest if kind == "hash" else ends[kind]
            for name, kind in FORMATS[form][1]}


def common_cases(form):
    odd = "naïve \0 \"\\\n 漢".encode()
    return [
        ("all strings missing, integers zero", uniform(form, None, "zero")),
        ("all strings empty, integers zero", uniform(form, b"", "zero")),
        ("all strings one zero byte, integers least", uniform(form, b"\0", "low", b"\xff" * 32)),
        ("UTF-8 and control bytes, integers greatest", uniform(form, odd, "high", sha256(b"x"))),
    ]


def cases():
    event = dict(
        tx_id=1042, ordinal=3, tx_at=1795330800000001, occurred_at=1795330800123456, op=ord("U"),
        schema=b"public", table=b"orders", resource_type=b"order", record_key=b"4711",
        event_type=b"status_changed", old_values=b'{"status":"paid","total":10.50}',
        new_values=b'{"status":"shipped","total":11.00}', extra=b'{"tags":["a","b"]}')
    insert = dict(event, ordinal=1, op=ord("I"), old_values=None, event_type=None, extra=None,
                  new_values=b'{"id":4711,"note":null}')
    truncate = dict(uniform("Event", None, "zero"), tx_id=7, ordinal=1, tx_at=-1, occurred_at=-2,
                    op=ord("T"), schema=b"public", table=b"orders", record_key=b"")
    session = dict(
        session_id=77, started_at=1795330000000000, backend_pid=4242, client_port=50123,
        login_user=b"app", client_addr=b"192.0.2.7", application_name=b"shop", tls=b"TLSv1.3")
    local = dict(session, client_port=0, client_addr=None, tls=None)
    transaction = dict(
        tx_id=1042, tx_at=1795330800000001, committed_at=1795330800200000, xid=(5 << 32) + 731,
        session_id=77, event_count=3, digest=sha256(b"chain"),
        system_identifier=7300000000000000123, database_oid=16384, actor=b"alice@example.com",
        actor_type=b"user", actor_source=b"setting", db_user=b"app", db_role=b"app_writer",
        application_name=b"shop", request_id=b"req-1", reason=b"ticket 12",
        claimed_session=b"web-7", claimed_client_ip=b"203.0.113.9",
        trace_parent=b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        extra=b'{"ip":"::1"}', context_sources=b'{"trace_parent":"comment"}',
        session_digest=sha256(encode("Session", session)))
    later = dict(transaction, tx_id=1043, session_digest=None, reason=b"", extra=None,
                 claimed_session=None, claimed_client_ip=None, trace_parent=None,
                 context_sources=None)
    boot = dict(
        uniform("Entry", None, "zero"), sealed_at=1795330700000000, incarnation=1, kind=b"boot",
        root=sha256(b""), snapshot=b"1:1:",
        payload=b'{"incarnation":1,"system_identifier":"7300000000000000123",'
                b'"database_oid":16384,"reason":"init"}')
    batch = dict(
        log_index=1, sealed_at=1795330801000000, incarnation=1, kind=b"events",
        previous=sha256(encode("Entry", boot)), root=sha256(b"root"), leaf_count=5, tx_count=2,
        event_count=3, first_tx_at=1795330800000001, last_tx_at=1795330800000002,
        snapshot=b"730:735:731,733", payload=None)
    named = {
        "Event": [("an update", event), ("an insert", insert),
                  ("a truncate before 1970, key empty", truncate)],
        "Transaction": [("the first of a session", transaction), ("a later one", later)],
        "Session": [("over TCP with TLS", session), ("over a local socket", local)],
        "Entry": [("boot", boot), ("a batch of events", batch)],
    }
    return {form: named[form] + common_cases(form) for form in FORMATS}


# ---- keyed hashes and commitments ----

def keyed(secret, data):
    return hmac.new(secret, data, hashlib.sha256).digest()


def commitment(secret, nonce, side, subject, column, value):
    salt = keyed(secret, b"ATP1" + LOG_ID + nonce + side
                 + (b"\0" + bytes(32) if subject is None else b"\1" + sha256(subject)) + sha256(column))
    return sha256(b"ATV1" + salt + value)


# ---- trees ----

def merkle_root(leaves):
    """RFC 6962, section 2.1, by its recursive definition."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256(b"")
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:]))


def frontier(leaves):
    """Roots of the perfect subtrees, largest first."""
    out = b""
    start = 0
    for level in reversed(range(63)):
        if len(leaves) >> level & 1:
            out += merkle_root(leaves[start:start + 2**level])
            start += 2**level
    return out


# ---- C ----

def c_int(value):
    if value in (I64_MIN, I64_MAX):
        return "INT64_MIN" if value < 0 else "INT64_MAX"
    if abs(value) < 2**31:
        return str(value)
    return f"UINT64_C({value})" if value > I64_MAX else f"INT64_C({value})"


def c_string(data):
    """Escapes are octal: those end after three digits, hexadecimal ones do not end."""
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in data)
    return '"' + "".join(plain) + '"'


def c_value(kind, value):
    if kind == "hash":
        return "{{" + ",".join(f"0x{b:02x}" for b in value) + "}}"
    if kind == "text":
        return "{NULL, 0}" if value is None else f"{{{c_string(value)}, {len(value)}}}"
    return c_int(value)


def c_hex(data):
    """Hexadecimal, over several lines."""
    text = data.hex()
    return "\n\t\t".join(f'"{text[i:i + 80]}"' for i in range(0, max(len(text), 1), 80))


def print_struct(name, note, *members):
    print(f"\n/* {note} */\nstatic const struct\n{{")
    for member in members:
        print(f"\t{member};")
    print(f"}} {name}[] = {{")


def print_bodies():
    for form, form_cases in cases().items():
        print_struct(f"vector_{form.lower()}", FORMATS[form][0].decode(), "const char *name", f"At{form}Body body",
                     "const char *bytes", "const char *hash", "const char *leaf")
        for title, values in form_cases:
            data = encode(form, values)
            print(f'\t{{\n\t\t.name = "{FORMATS[form][0].decode()}, {title}",')
            print("\t\t.body.log_id = vector_log_id,")
            for name, kind in FORMATS[form][1]:
                print(f"\t\t.body.{name} = {c_value(kind, values[name])},")
            print(f"\t\t.bytes =\n\t\t{c_hex(data)},")
            print(f'\t\t.hash = "{sha256(data).hex()}",\n\t\t.leaf = "{leaf_hash(data).hex()}",\n\t}},')
        print("};")


def print_largest_entry():
    data = encode("Entry", dict(cases()["Entry"][0][1], payload=b"x" * 60000))
    print("\n/* the first entry above with a payload of AT_MAX_PAYLOAD times 'x' */")
    print(f"#define VECTOR_LARGEST_ENTRY_SIZE {len(data)}")
    print(f'#define VECTOR_LARGEST_ENTRY_HASH "{sha256(data).hex()}"')


def print_chain():
    print_struct("vector_chain", "the chain of a transaction of all events above: c0, then c1, ...",
                 "uint64_t tx_id", "const char *start",
                 "const char *after[sizeof(vector_event) / sizeof(vector_event[0])]")
    for tx_id in (1042, 0, U64_MAX):
        chain = sha256(b"ATC1" + LOG_ID + struct.pack(">Q", tx_id))
        print(f'\t{{\n\t\t{c_int(tx_id)},\n\t\t"{chain.hex()}",\n\t\t{{')
        for _, values in cases()["Event"]:
            chain = sha256(chain + leaf_hash(encode("Event", values)))
            print(f'\t\t\t"{chain.hex()}",')
        print("\t\t},\n\t},")
    print("};")


def print_owners():
    runs = [(7, 0, 0, True), (1042, 1, 3, True), (1043, 1, 2, False), (1044, 5, 1, False),
            (U64_MAX, U32_MAX - 1, 2, True)]
    data = b"".join(struct.pack(">QII", tx_id, ordinal, count | (0x80000000 if closes else 0))
                    for tx_id, ordinal, count, closes in runs)
    print("\n/* the runs of a tile, and the same as stored */\nstatic const AtRun vector_run[] = {")
    for tx_id, ordinal, count, closes in runs:
        print(f"\t{{{c_int(tx_id)}, {c_int(ordinal)}, {count}, {str(closes).lower()}}},")
    print(f"}};\n\nstatic const char vector_owners[] =\n\t\t{c_hex(data)};")


def print_commitments():
    secret, other = bytes(range(32)), sha256(b"another secret")
    nonce, next_nonce = bytes(range(16)), bytes(range(1, 17))
    value = "zoë@example.com".encode()
    given = [(secret, nonce, b"N", b"42", b"email", value),
             (other, nonce, b"N", b"42", b"email", value),
             (secret, next_nonce, b"N", b"42", b"email", value),
             (secret, nonce, b"O", b"42", b"email", value),
             (secret, nonce, b"N", None, b"email", value),
             (secret, nonce, b"N", b"", b"email", value),
             (secret, nonce, b"N", b"42", b"name", value),
             (secret, nonce, b"N", b"42", b"email", b""),
             (secret, nonce, b"N", b"42", b"email", b"x" * 1000)]

    print_struct("vector_commitment", "values in the place of others", "const char *secret",
                 "const char *nonce", "uint8_t side", "AtSpan subject", "AtSpan column",
                 "AtSpan value", "const char *id", "const char *hash", "const char *commitment")
    for secret, nonce, side, subject, column, value in given:
        print(f'\t{{\n\t\t"{secret.hex()}",\n\t\t"{nonce.hex()}",\n\t\t\'{side.decode()}\',')
        for text in (subject, column, value):
            print(f"\t\t{c_value('text', text)},")
        print(f'\t\t"{keyed(secret, b"ATK1")[:4].hex()}",\n\t\t"{keyed(secret, b"ATH1" + value).hex()}",')
        print(f'\t\t"{commitment(secret, nonce, side, subject, column, value).hex()}",\n\t}},')
    print("};")


def print_primitives(given):
    print_struct("vector_primitive", "a leaf where right is NULL, else a node",
                 "const char *name", "const char *left", "const char *right", "const char *hash")
    for item in given["primitives"]:
        if "leaf_hex" in item:
            left, right = f'"{item["leaf_hex"]}"', "NULL"
        elif len(item.get("left_hex", "")) == 64:
            left, right = f'"{item["left_hex"]}"', f'"{item["right_hex"]}"'
        else:
            continue
        print(f'\t{{\n\t\t"{item["what"]}",\n\t\t{left},\n\t\t{right},\n\t\t"{item["out"]}",\n\t}},')
    print("};")


def print_roots(name, note, roots, leaves):
    print_struct(name, note, "uint64_t size", "const char *root", "const char *frontier")
    for size, root in sorted((int(size), root) for size, root in roots.items()):
        assert merkle_root(leaves[:size]).hex() == root
        print(f'\t{{\n\t\t{size},\n\t\t"{root}",\n\t\t{c_hex(frontier(leaves[:size]))},\n\t}},')
    print("};")


def print_trees(given):
    small, big = given["tree8"], given["big_tree"]
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in small["leaves_hex"]]
    assert [digest.hex() for digest in hashes] == small["leaf_hashes"]
    big_hashes = [leaf_hash(struct.pack(">Q", i)) for i in range(70000)]

    print_struct("vector_tree8_leaf", "leaves and their hashes", "const char *bytes", "const char *hash")
    for leaf, digest in zip(small["leaves_hex"], hashes):
        print(f'\t{{"{leaf}", "{digest.hex()}"}},')
    print("};")
    print_roots("vector_tree8", "trees of the leaves above", small["roots_by_size"], hashes)
    print_roots("vector_big_tree", big["leaf_rule"], big["roots_by_size"], big_hashes)

    print_struct("vector_tile", "leaf tiles of the same tree: SHA-256 of all hashes in them",
                 "uint64_t first", "int width", "const char *hash")
    for first, width, path in ((0, 256, "000"), (256, 256, "001"), (272 * 256, 256, "272"),
                               (273 * 256, 112, "273.p/112")):
        print(f'\t{{{first}, {width}, "{big["tiles_for_size_70000"]["tile/0/" + path]["sha256"]}"}},')
    print("};")


HEAD = """\
/*-------------------------------------------------------------------------
 * vectors.h
 *		Frozen vectors for src/core, made by make_vectors.py: do not edit.
 *
 * Byte strings are in hexadecimal.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VECTORS_H
#define AT_VECTORS_H

/* clang-format off */

#include "core/body.h"
#include "core/tile.h"
"""


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    print(HEAD)
    print("static const uint8_t vector_log_id[AT_LOG_ID_LEN] = {"
          + ", ".join(f"0x{b:02x}" for b in LOG_ID) + "};")
    print_primitives(given)
    print_bodies()
    print_largest_entry()
    print_chain()
    print_owners()
    print_trees(given)
    print_commitments()
    print("\n/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    main()
