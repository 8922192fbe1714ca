#!/usr/bin/env python3
"""Make proof_vectors.h: proofs, notes and tiles of rfc6962_vectors.json in C.

Usage: make_proof_vectors.py rfc6962_vectors.json > proof_vectors.h

Everything is given by the file but the form: the hashes of a proof become
the text that core/proof.h reads, one a line in base64 and an empty line.
"""

import base64
import json
import sys

HEAD = """\
/*-------------------------------------------------------------------------
 * proof_vectors.h
 *		Proofs, notes and tiles of rfc6962_vectors.json, put into C by
 *		make_proof_vectors.py: do not edit.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PROOF_VECTORS_H
#define AT_PROOF_VECTORS_H

/* clang-format off */

#include <stdbool.h>
#include <stdint.h>
"""


def c_string(text):
    """Escapes are octal, as those end after three digits; a line of the text a line of C."""
    def quote(data):
        return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in data)
    lines = text.encode().split(b"\n")
    parts = [quote(line) + "\\n" for line in lines[:-1]] + [quote(lines[-1])]
    return "\n\t\t".join(f'"{part}"' for part in parts if part or len(parts) == 1)


def proof_text(hashes):
    lines = [base64.b64encode(bytes.fromhex(digest)).decode() + "\n" for digest in hashes]
    return "".join(lines) + "\n"


def print_struct(name, note, members, rows):
    print(f"\n/* {note} */\nstatic const struct\n{{")
    for member in members:
        print(f"\t{member};")
    print(f"}} {name}[] = {{")
    for row in rows:
        print("\t{" + ",\n\t\t".join(row) + "},")
    print("};")


def print_positive(given):
    rows = []
    for tree in ("tree8", "big_tree"):
        big = "true" if tree == "big_tree" else "false"
        for proof in given[tree]["inclusion"]:
            rows.append((big, "true", str(proof["leafIndex"]), str(proof["treeSize"]),
                         c_string(proof_text(proof["proof"]))))
        for proof in given[tree]["consistency"]:
            rows.append((big, "false", str(proof["size1"]), str(proof["size2"]),
                         c_string(proof_text(proof["proof"]))))
    print_struct("vector_proof", "proofs of leaf first in tree second, or of trees first and second",
                 ("bool big", "bool inclusion", "uint64_t first", "uint64_t second",
                  "const char *text"), rows)


def print_negative(given):
    rows = []
    for wrong in given["negative"]:
        assert not wrong["accept"]
        inclusion = wrong["kind"] == "inclusion"
        names = ("leafIndex", "treeSize", "leafHash", "root") if inclusion else (
            "size1", "size2", "root1", "root2")
        first, second, hash_, root = (wrong[name] for name in names)
        rows.append((c_string(wrong["desc"]), "true" if inclusion else "false", str(first), str(second),
                     f'"{hash_}"', f'"{root}"', c_string(proof_text(wrong["proof"]))))
    print_struct("vector_negative", "proofs that must be refused; hash is of the leaf or the older root",
                 ("const char *name", "bool inclusion", "uint64_t first", "uint64_t second",
                  "const char *hash", "const char *root", "const char *text"), rows)


def print_odd_node(given):
    """The one primitive that vectors.h has no form for: children that are no hashes."""
    (odd,) = (item for item in given["primitives"] if len(item.get("left_hex", "")) not in (0, 64))
    data = "01" + odd["left_hex"] + odd["right_hex"]
    print(f'#define VECTOR_ODD_NODE "{data}"\n#define VECTOR_ODD_NODE_HASH "{odd["out"]}"')


def print_notes(given):
    notes = given["notes"]
    log, witness = notes["test_log_key"], notes["test_witness_key"]
    example = notes["c2sp_signed_note_example"]
    for name, value in (
            ("VECTOR_NOTE_KEY", example["vkey"]), ("VECTOR_NOTE", example["note"]),
            ("VECTOR_LOG_NAME", log["origin"]), ("VECTOR_LOG_SEED", log["seed_hex"]),
            ("VECTOR_LOG_PUBLIC", log["public_hex"]), ("VECTOR_LOG_KEY", log["vkey"]),
            ("VECTOR_LOG_PRIVATE_KEY", log["go_skey"]), ("VECTOR_WITNESS_NAME", witness["name"]),
            ("VECTOR_WITNESS_SEED", witness["seed_hex"]),
            ("VECTOR_WITNESS_PUBLIC", witness["public_hex"]),
            ("VECTOR_WITNESS_KEY", witness["vkey_type4"])):
        print(f"#define {name} " + c_string(value).replace("\n\t\t", " \\\n\t"))
    print(f"#define VECTOR_LOG_ID UINT32_C(0x{log['key_id_hex']})")
    print(f"#define VECTOR_WITNESS_ID UINT32_C(0x{witness['key_id_hex']})")

    rows = [(str(item["size"]), str(item["cosignature_v1_time"]), c_string(item["text"]),
             c_string(item["note"]), c_string(item["cosigned_message"]), c_string(item["cosignature_line"]),
             c_string(item["note_with_cosignature"]))
            for item in notes["tree8_checkpoints"] + [notes["big_tree_checkpoint_70000"]]]
    print_struct("vector_checkpoint", "signed by the log's key, cosigned by the witness's",
                 ("uint64_t size", "uint64_t when", "const char *text", "const char *note",
                  "const char *message", "const char *cosignature", "const char *cosigned"), rows)


def print_files(given):
    proof = given["tlog_proof_v1"]
    print(f"\n#define VECTOR_TLOG_PROOF_INDEX {proof['leafIndex']}")
    print(f"#define VECTOR_TLOG_PROOF_SIZE {proof['treeSize']}")
    print(f"#define VECTOR_TLOG_PROOF_LEAF \"{proof['leaf_hex']}\"")
    print(f"\nstatic const char vector_tlog_proof[] =\n\t\t{c_string(proof['file'])};")
    print(f"\nstatic const char vector_tlog_request[] =\n\t\t{c_string(given['tlog_witness_add_checkpoint_body'])};")


def print_tiles(given):
    rows = [(c_string(path), str(tile["bytes"]), f'"{tile["sha256"]}"')
            for path, tile in given["big_tree"]["tiles_for_size_70000"].items()]
    print_struct("vector_log_tile", "tiles and entry bundles of the big tree: length and SHA-256",
                 ("const char *path", "int len", "const char *hash"), rows)
    rows = [(number, c_string(path)) for number, path in given["big_tree"]["tile_path_examples"].items()]
    print_struct("vector_tile_path", "how a tile's number is written",
                 ("uint64_t index", "const char *path"), rows)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    print(HEAD)
    print_odd_node(given)
    print_notes(given)
    print_positive(given)
    print_negative(given)
    print_files(given)
    print_tiles(given)
    print("\n/* clang-format on */\n\n#endif")


if __name__ == "__main__":
    main()
