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

static const uint8_t vector_log_id[AT_LOG_ID_LEN] = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};

/* a leaf where right is NULL, else a node */
static const struct
{
	const char *name;
	const char *left;
	const char *right;
	const char *hash;
} vector_primitive[] = {
	{
		"leaf hash of empty leaf = SHA256(00)",
		"",
		NULL,
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	},
	{
		"leaf hash of ASCII L123456",
		"4c313233343536",
		NULL,
		"395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56",
	},
	{
		"leaf 101112..1f",
		"101112131415161718191a1b1c1d1e1f",
		NULL,
		"3bfb960453ebaebf33727da7a1f4db38acc051d381b6da20d6d4e88f0eabfd7a",
	},
	{
		"node 00..1f , 20..3f",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
		"1a378704c17da31e2d05b6d121c2bb2c7d76f6ee6fa8f983e596c2d034963c57",
	},
};

/* ATE1 */
static const struct
{
	const char *name;
	AtEventBody body;
	const char *bytes;
	const char *hash;
	const char *leaf;
} vector_event[] = {
	{
		.name = "ATE1, an update",
		.body.log_id = vector_log_id,
		.body.tx_id = 1042,
		.body.ordinal = 3,
		.body.tx_at = INT64_C(1795330800000001),
		.body.occurred_at = INT64_C(1795330800123456),
		.body.op = 85,
		.body.schema = {"public", 6},
		.body.table = {"orders", 6},
		.body.resource_type = {"order", 5},
		.body.record_key = {"4711", 4},
		.body.event_type = {"status_changed", 14},
		.body.old_values = {"{\042status\042:\042paid\042,\042total\042:10.50}", 31},
		.body.new_values = {"{\042status\042:\042shipped\042,\042total\042:11.00}", 34},
		.body.extra = {"{\042tags\042:[\042a\042,\042b\042]}", 18},
		.bytes =
		"41544531a0a1a2a3a4a5a6a7a8a9aaabacadaeaf000000000000041200000003000660d806969c01"
		"000660d806987e4055000000067075626c6963000000066f7264657273000000056f726465720000"
		"0004343731310000000e7374617475735f6368616e6765640000001f7b22737461747573223a2270"
		"616964222c22746f74616c223a31302e35307d000000227b22737461747573223a22736869707065"
		"64222c22746f74616c223a31312e30307d000000127b2274616773223a5b2261222c2262225d7d",
		.hash = "3b3226fb7b548b48c5dfdfb1272e612149d505c67120abbd67930e8daa3f1129",
		.leaf = "14cb7d66e317d8d63bfecd0a31d1850e13b384e766f6bf6cd1a9c6c6dec97745",
	},
	{
		.name = "ATE1, an insert",
		.body.log_id = vector_log_id,
		.body.tx_id = 1042,
		.body.ordinal = 1,
		.body.tx_at = INT64_C(1795330800000001),
		.body.occurred_at = INT64_C(1795330800123456),
		.body.op = 73,
		.body.schema = {"public", 6},
		.body.table = {"orders", 6},
		.body.resource_type = {"order", 5},
		.body.record_key = {"4711", 4},
		.body.event_type = {NULL, 0},
		.body.old_values = {NULL, 0},
		.body.new_values = {"{\042id\042:4711,\042note\042:null}", 23},
		.body.extra = {NULL, 0},
		.bytes =
		"41544531a0a1a2a3a4a5a6a7a8a9aaabacadaeaf000000000000041200000001000660d806969c01"
		"000660d806987e4049000000067075626c6963000000066f7264657273000000056f726465720000"
		"000434373131ffffffffffffffff000000177b226964223a343731312c226e6f7465223a6e756c6c"
		"7dffffffff",
		.hash = "6fdeb703c25ed9a81bb02f7cacb1368934531a413c807ff9e2d11c6dd13f78a8",
		.leaf = "7db4e19c0975d4933698fcf9ceabb2d6c1197ae0b126e3f30f815c8650c101d6",
	},
	{
		.name = "ATE1, a truncate before 1970, key empty",
		.body.log_id = vector_log_id,
		.body.tx_id = 7,
		.body.ordinal = 1,
		.body.tx_at = -1,
		.body.occurred_at = -2,
		.body.op = 84,
		.body.schema = {"public", 6},
		.body.table = {"orders", 6},
		.body.resource_type = {NULL, 0},
		.body.record_key = {"", 0},
		.body.event_type = {NULL, 0},
		.body.old_values = {NULL, 0},
		.body.new_values = {NULL, 0},
		.body.extra = {NULL, 0},
		.bytes =
		"41544531a0a1a2a3a4a5a6a7a8a9aaabacadaeaf000000000000000700000001ffffffffffffffff"
		"fffffffffffffffe54000000067075626c6963000000066f7264657273ffffffff00000000ffffff"
		"ffffffffffffffffffffffffff",
		.hash = "06394c71386809fad9cbfdf0a6ce42da540e972cfcc2e80e5ea517c261b1feed",
		.leaf = "cb43b9f48aeba62d530027f093ce7a980a7e4dc57f8e850dd6e2720ea39738b4",
	},
	{
		.name = "ATE1, all strings missing, integers zero",
		.body.log_id = vector_log_id,
		.body.tx_id = 0,
		.body.ordinal = 0,
		.body.tx_at = 0,
		.body.occurred_at = 0,
		.body.op = 0,
		.body.schema = {NULL, 0},
		.body.table = {NULL, 0},
		.body.resource_type = {NULL, 0},
		.body.record_key = {NULL, 0},
		.body.event_type = {NULL, 0},
		.body.old_values = {NULL, 0},
		.body.new_values = {NULL, 0},
		.body.extra = {NULL, 0},
		.bytes =
		"41544531a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000000000000000000000"
		"000000000000000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ff",
		.hash = "eae4319a631a1d74391531223d02fa094559c550e0611bdf535a0e475fe1dc55",
		.leaf = "025352d0627a79de961bfa18bc55eb75f94ed24a0a06658a1edb2d1645cac078",
	},
	{
		.name = "ATE1, all strings empty, integers zero",
		.body.log_id = vector_log_id,
		.body.tx_id = 0,
		.body.ordinal = 0,
		.body.tx_at = 0,
		.body.occurred_at = 0,
		.body.op = 0,
		.body.schema = {"", 0},
		.body.table = {"", 0},
		.body.resource_type = {"", 0},
		.body.record_key = {"", 0},
		.body.event_type = {"", 0},
		.body.old_values = {"", 0},
		.body.new_values = {"", 0},
		.body.extra = {"", 0},
		.bytes =
		"41544531a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00",
		.hash = "55e4261966eef1849c99852e60d9acc8cf7596236a5e4629f67acb6ef09d6ff5",
		.leaf = "968f00fd98a5557f9f5c3e3fc93ec6f70fb916fed7cd1064db4ce990719aa084",
	},
	{
		.name = "ATE1, all strings one zero byte, integers least",
		.body.log_id = vector_log_id,
		.body.tx_id = 0,
		.body.ordinal = 0,
		.body.tx_at = INT64_MIN,
		.body.occurred_at = INT64_MIN,
		.body.op = 0,
		.body.schema = {"\000", 1},
		.body.table = {"\000", 1},
		.body.resource_type = {"\000", 1},
		.body.record_key = {"\000", 1},
		.body.event_type = {"\000", 1},
		.body.old_values = {"\000", 1},
		.body.new_values = {"\000", 1},
		.body.extra = {"\000", 1},
		.bytes =
		"41544531a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000008000000000000000"
		"80000000000000000000000001000000000100000000010000000001000000000100000000010000"
		"000001000000000100",
		.hash = "70966ae33ebe417f0b0c5b4c62c7f2a8cb710782fea529133f97d2bf7cdf42ab",
		.leaf = "9050b58147b37d44ffcc98e5bd6700cb7271b8b62486379e3e4e4ea301b00dec",
	},
	{
		.name = "ATE1, UTF-8 and control bytes, integers greatest",
		.body.log_id = vector_log_id,
		.body.tx_id = UINT64_C(18446744073709551615),
		.body.ordinal = INT64_C(4294967295),
		.body.tx_at = INT64_MAX,
		.body.occurred_at = INT64_MAX,
		.body.op = 255,
		.body.schema = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.table = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.resource_type = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.record_key = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.event_type = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.old_values = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.new_values = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.extra = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.bytes =
		"41544531a0a1a2a3a4a5a6a7a8a9aaabacadaeafffffffffffffffffffffffff7fffffffffffffff"
		"7fffffffffffffffff000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af766520"
		"0020225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af766520"
		"0020225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af766520"
		"0020225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af766520"
		"0020225c0a20e6bca2",
		.hash = "e8d9feada330bdb0ff14823dab9e42721402620fce741a0d5452479ead53bdcb",
		.leaf = "f16f2456503476d40453d9c73d0367eb1787b33d7a5fef6e3bd1461838a06e7f",
	},
};

/* ATX1 */
static const struct
{
	const char *name;
	AtTransactionBody body;
	const char *bytes;
	const char *hash;
	const char *leaf;
} vector_transaction[] = {
	{
		.name = "ATX1, the first of a session",
		.body.log_id = vector_log_id,
		.body.tx_id = 1042,
		.body.tx_at = INT64_C(1795330800000001),
		.body.committed_at = INT64_C(1795330800200000),
		.body.xid = INT64_C(21474837211),
		.body.session_id = 77,
		.body.event_count = 3,
		.body.digest = {{0x94,0x14,0x88,0x6b,0x1e,0xbf,0x02,0x5d,0xb0,0x67,0xa4,0xcb,0xd1,0x3a,0x09,0x03,0xfb,0xd9,0x73,0x3a,0x53,0x72,0xbb,0xa1,0xb5,0x8b,0xd7,0x2c,0x16,0x99,0xb7,0x98}},
		.body.system_identifier = INT64_C(7300000000000000123),
		.body.database_oid = 16384,
		.body.actor = {"alice@example.com", 17},
		.body.actor_type = {"user", 4},
		.body.actor_source = {"setting", 7},
		.body.db_user = {"app", 3},
		.body.db_role = {"app_writer", 10},
		.body.application_name = {"shop", 4},
		.body.request_id = {"req-1", 5},
		.body.reason = {"ticket 12", 9},
		.body.claimed_session = {"web-7", 5},
		.body.claimed_client_ip = {"203.0.113.9", 11},
		.body.trace_parent = {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", 55},
		.body.extra = {"{\042ip\042:\042::1\042}", 12},
		.body.context_sources = {"{\042trace_parent\042:\042comment\042}", 26},
		.body.session_digest = {"[\231\013\375\274p\265\270\021y*\316\243EK\347G\253\261\230ew\201\016\305\000\225\351o\002\350,", 32},
		.bytes =
		"41545831a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000412000660d806969c01000660d8"
		"0699a94000000005000002db000000000000004d000000039414886b1ebf025db067a4cbd13a0903"
		"fbd9733a5372bba1b58bd72c1699b798654ecf52ac5a007b0000400000000011616c696365406578"
		"616d706c652e636f6d00000004757365720000000773657474696e67000000036170700000000a61"
		"70705f7772697465720000000473686f70000000057265712d31000000097469636b657420313200"
		"0000057765622d370000000b3230332e302e3131332e390000003730302d34626639326633353737"
		"623334646136613363653932396430653065343733362d303066303637616130626139303262372d"
		"30310000000c7b226970223a223a3a31227d0000001a7b2274726163655f706172656e74223a2263"
		"6f6d6d656e74227d000000205b990bfdbc70b5b811792acea3454be747abb1986577810ec50095e9"
		"6f02e82c",
		.hash = "f6d86839c07bdd634c305c441c70bc7a0c14c7f0ed577f3d9c50c43145acaedd",
		.leaf = "f86210d9c1088915bda373d8dba88b4ffa12deb719f63c09e1d032501847f649",
	},
	{
		.name = "ATX1, a later one",
		.body.log_id = vector_log_id,
		.body.tx_id = 1043,
		.body.tx_at = INT64_C(1795330800000001),
		.body.committed_at = INT64_C(1795330800200000),
		.body.xid = INT64_C(21474837211),
		.body.session_id = 77,
		.body.event_count = 3,
		.body.digest = {{0x94,0x14,0x88,0x6b,0x1e,0xbf,0x02,0x5d,0xb0,0x67,0xa4,0xcb,0xd1,0x3a,0x09,0x03,0xfb,0xd9,0x73,0x3a,0x53,0x72,0xbb,0xa1,0xb5,0x8b,0xd7,0x2c,0x16,0x99,0xb7,0x98}},
		.body.system_identifier = INT64_C(7300000000000000123),
		.body.database_oid = 16384,
		.body.actor = {"alice@example.com", 17},
		.body.actor_type = {"user", 4},
		.body.actor_source = {"setting", 7},
		.body.db_user = {"app", 3},
		.body.db_role = {"app_writer", 10},
		.body.application_name = {"shop", 4},
		.body.request_id = {"req-1", 5},
		.body.reason = {"", 0},
		.body.claimed_session = {NULL, 0},
		.body.claimed_client_ip = {NULL, 0},
		.body.trace_parent = {NULL, 0},
		.body.extra = {NULL, 0},
		.body.context_sources = {NULL, 0},
		.body.session_digest = {NULL, 0},
		.bytes =
		"41545831a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000413000660d806969c01000660d8"
		"0699a94000000005000002db000000000000004d000000039414886b1ebf025db067a4cbd13a0903"
		"fbd9733a5372bba1b58bd72c1699b798654ecf52ac5a007b0000400000000011616c696365406578"
		"616d706c652e636f6d00000004757365720000000773657474696e67000000036170700000000a61"
		"70705f7772697465720000000473686f70000000057265712d3100000000ffffffffffffffffffff"
		"ffffffffffffffffffffffffffff",
		.hash = "b7286e9a80f0f3a9f6d4a6e7b7da2ba1c3fce9e7e94410d61d17669dfd14c699",
		.leaf = "398bf37d08cf49ebcf9df831d19b3d63b5679c1319b133860af4621b7a99c56b",
	},
	{
		.name = "ATX1, all strings missing, integers zero",
		.body.log_id = vector_log_id,
		.body.tx_id = 0,
		.body.tx_at = 0,
		.body.committed_at = 0,
		.body.xid = 0,
		.body.session_id = 0,
		.body.event_count = 0,
		.body.digest = {{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}},
		.body.system_identifier = 0,
		.body.database_oid = 0,
		.body.actor = {NULL, 0},
		.body.actor_type = {NULL, 0},
		.body.actor_source = {NULL, 0},
		.body.db_user = {NULL, 0},
		.body.db_role = {NULL, 0},
		.body.application_name = {NULL, 0},
		.body.request_id = {NULL, 0},
		.body.reason = {NULL, 0},
		.body.claimed_session = {NULL, 0},
		.body.claimed_client_ip = {NULL, 0},
		.body.trace_parent = {NULL, 0},
		.body.extra = {NULL, 0},
		.body.context_sources = {NULL, 0},
		.body.session_digest = {NULL, 0},
		.bytes =
		"41545831a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000ffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ffffffff",
		.hash = "0dfd1fba39d1741bacadbd125819d084ac970c0bb7e1521d6d6302460f89d976",
		.leaf = "d33e3c6722d60f6d71a020ea4cf9e0aca3a9fa96dd4063ae682956ab23a2b3c8",
	},
	{
		.name = "ATX1, all strings empty, integers zero",
		.body.log_id = vector_log_id,
		.body.tx_id = 0,
		.body.tx_at = 0,
		.body.committed_at = 0,
		.body.xid = 0,
		.body.session_id = 0,
		.body.event_count = 0,
		.body.digest = {{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}},
		.body.system_identifier = 0,
		.body.database_oid = 0,
		.body.actor = {"", 0},
		.body.actor_type = {"", 0},
		.body.actor_source = {"", 0},
		.body.db_user = {"", 0},
		.body.db_role = {"", 0},
		.body.application_name = {"", 0},
		.body.request_id = {"", 0},
		.body.reason = {"", 0},
		.body.claimed_session = {"", 0},
		.body.claimed_client_ip = {"", 0},
		.body.trace_parent = {"", 0},
		.body.extra = {"", 0},
		.body.context_sources = {"", 0},
		.body.session_digest = {"", 0},
		.bytes =
		"41545831a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000",
		.hash = "d0392d4ccbd71eab92194d8a1befcb6404b76f2bd1c6d23f09fca2c1a81e82ac",
		.leaf = "212473fd383a9c7410f31902e9ccae71f6b8662e6dc211a0aa938f949be4b1a6",
	},
	{
		.name = "ATX1, all strings one zero byte, integers least",
		.body.log_id = vector_log_id,
		.body.tx_id = 0,
		.body.tx_at = INT64_MIN,
		.body.committed_at = INT64_MIN,
		.body.xid = 0,
		.body.session_id = 0,
		.body.event_count = 0,
		.body.digest = {{0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff}},
		.body.system_identifier = 0,
		.body.database_oid = 0,
		.body.actor = {"\000", 1},
		.body.actor_type = {"\000", 1},
		.body.actor_source = {"\000", 1},
		.body.db_user = {"\000", 1},
		.body.db_role = {"\000", 1},
		.body.application_name = {"\000", 1},
		.body.request_id = {"\000", 1},
		.body.reason = {"\000", 1},
		.body.claimed_session = {"\000", 1},
		.body.claimed_client_ip = {"\000", 1},
		.body.trace_parent = {"\000", 1},
		.body.extra = {"\000", 1},
		.body.context_sources = {"\000", 1},
		.body.session_digest = {"\000", 1},
		.bytes =
		"41545831a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000800000000000000080000000"
		"000000000000000000000000000000000000000000000000ffffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffffff000000000000000000000000000000010000000001000000"
		"00010000000001000000000100000000010000000001000000000100000000010000000001000000"
		"000100000000010000000001000000000100",
		.hash = "5e631344dc8fccafc651d889232b1d976d89fdde99a93ade39fd403ddc9a7e9c",
		.leaf = "0537fe0c627cad5d4380195bf121703882bd544ff594d4f6d4391e459bde75cd",
	},
	{
		.name = "ATX1, UTF-8 and control bytes, integers greatest",
		.body.log_id = vector_log_id,
		.body.tx_id = UINT64_C(18446744073709551615),
		.body.tx_at = INT64_MAX,
		.body.committed_at = INT64_MAX,
		.body.xid = UINT64_C(18446744073709551615),
		.body.session_id = UINT64_C(18446744073709551615),
		.body.event_count = INT64_C(4294967295),
		.body.digest = {{0x2d,0x71,0x16,0x42,0xb7,0x26,0xb0,0x44,0x01,0x62,0x7c,0xa9,0xfb,0xac,0x32,0xf5,0xc8,0x53,0x0f,0xb1,0x90,0x3c,0xc4,0xdb,0x02,0x25,0x87,0x17,0x92,0x1a,0x48,0x81}},
		.body.system_identifier = UINT64_C(18446744073709551615),
		.body.database_oid = INT64_C(4294967295),
		.body.actor = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.actor_type = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.actor_source = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.db_user = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.db_role = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.application_name = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.request_id = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.reason = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.claimed_session = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.claimed_client_ip = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.trace_parent = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.extra = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.context_sources = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.session_digest = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.bytes =
		"41545831a0a1a2a3a4a5a6a7a8a9aaabacadaeafffffffffffffffff7fffffffffffffff7fffffff"
		"ffffffffffffffffffffffffffffffffffffffffffffffff2d711642b726b04401627ca9fbac32f5"
		"c8530fb1903cc4db02258717921a4881ffffffffffffffffffffffff000000106e61c3af76652000"
		"20225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af76652000"
		"20225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af76652000"
		"20225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af76652000"
		"20225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af76652000"
		"20225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af76652000"
		"20225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af76652000"
		"20225c0a20e6bca2000000106e61c3af7665200020225c0a20e6bca2",
		.hash = "a7301c47220c1e6750e552fc56f9e571a3f0a4619ecc8e21826f86022e8739b9",
		.leaf = "90ea0eb4e7772b9d5e5cd7c53f1fc2f88069a2130264ae9b28ab4f49f26a3bcb",
	},
};

/* ATS1 */
static const struct
{
	const char *name;
	AtSessionBody body;
	const char *bytes;
	const char *hash;
	const char *leaf;
} vector_session[] = {
	{
		.name = "ATS1, over TCP with TLS",
		.body.log_id = vector_log_id,
		.body.session_id = 77,
		.body.started_at = INT64_C(1795330000000000),
		.body.backend_pid = 4242,
		.body.client_port = 50123,
		.body.login_user = {"app", 3},
		.body.client_addr = {"192.0.2.7", 9},
		.body.application_name = {"shop", 4},
		.body.tls = {"TLSv1.3", 7},
		.bytes =
		"41545331a0a1a2a3a4a5a6a7a8a9aaabacadaeaf000000000000004d000660d7d6e7940000001092"
		"0000c3cb00000003617070000000093139322e302e322e370000000473686f7000000007544c5376"
		"312e33",
		.hash = "5b990bfdbc70b5b811792acea3454be747abb1986577810ec50095e96f02e82c",
		.leaf = "0b9f42a98a25c8bf0f2861050cfd900eb82ca3d8e345bbabfdaf47d4c65a2f48",
	},
	{
		.name = "ATS1, over a local socket",
		.body.log_id = vector_log_id,
		.body.session_id = 77,
		.body.started_at = INT64_C(1795330000000000),
		.body.backend_pid = 4242,
		.body.client_port = 0,
		.body.login_user = {"app", 3},
		.body.client_addr = {NULL, 0},
		.body.application_name = {"shop", 4},
		.body.tls = {NULL, 0},
		.bytes =
		"41545331a0a1a2a3a4a5a6a7a8a9aaabacadaeaf000000000000004d000660d7d6e7940000001092"
		"0000000000000003617070ffffffff0000000473686f70ffffffff",
		.hash = "92454177ac149809e6afaa9cef9b8df9e11fd0648e308fe58c8a31df07a94b83",
		.leaf = "cfaa41d7660cf2188c729b6c44aa88fcb98cd656dd5af1ecc0ccc4d7d5e027c0",
	},
	{
		.name = "ATS1, all strings missing, integers zero",
		.body.log_id = vector_log_id,
		.body.session_id = 0,
		.body.started_at = 0,
		.body.backend_pid = 0,
		.body.client_port = 0,
		.body.login_user = {NULL, 0},
		.body.client_addr = {NULL, 0},
		.body.application_name = {NULL, 0},
		.body.tls = {NULL, 0},
		.bytes =
		"41545331a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000000000000000000000"
		"00000000ffffffffffffffffffffffffffffffff",
		.hash = "c8bbbb3aa336619e2ab25d1efcebec3f30b6a9cf47a95446fa38dbb95680e676",
		.leaf = "d0bf8e3d9df610be862550f6b271ee91feae179c4366c5aa261274e24a9ffc6b",
	},
	{
		.name = "ATS1, all strings empty, integers zero",
		.body.log_id = vector_log_id,
		.body.session_id = 0,
		.body.started_at = 0,
		.body.backend_pid = 0,
		.body.client_port = 0,
		.body.login_user = {"", 0},
		.body.client_addr = {"", 0},
		.body.application_name = {"", 0},
		.body.tls = {"", 0},
		.bytes =
		"41545331a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000",
		.hash = "206be8729b3b9ca250ca76a0ed468369c9208af8c3a49a73d9cc411538870b70",
		.leaf = "dbdfdb00def114ad9a04e09902b9d4c1390aad3c165cc5ee7a8cd578f1a16337",
	},
	{
		.name = "ATS1, all strings one zero byte, integers least",
		.body.log_id = vector_log_id,
		.body.session_id = 0,
		.body.started_at = INT64_MIN,
		.body.backend_pid = 0,
		.body.client_port = 0,
		.body.login_user = {"\000", 1},
		.body.client_addr = {"\000", 1},
		.body.application_name = {"\000", 1},
		.body.tls = {"\000", 1},
		.bytes =
		"41545331a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000800000000000000000000000"
		"000000000000000100000000010000000001000000000100",
		.hash = "68498f252d76fccaf5225301f9e32c245febacba53e423654e75624daee9fe2d",
		.leaf = "38ce76ab7dd980080f4ccc67d0f9820c36a0571b1a686a5e4c69a14483ea4c52",
	},
	{
		.name = "ATS1, UTF-8 and control bytes, integers greatest",
		.body.log_id = vector_log_id,
		.body.session_id = UINT64_C(18446744073709551615),
		.body.started_at = INT64_MAX,
		.body.backend_pid = INT64_C(4294967295),
		.body.client_port = INT64_C(4294967295),
		.body.login_user = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.client_addr = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.application_name = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.tls = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.bytes =
		"41545331a0a1a2a3a4a5a6a7a8a9aaabacadaeafffffffffffffffff7fffffffffffffffffffffff"
		"ffffffff000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af7665200020225c0a"
		"20e6bca2000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af7665200020225c0a"
		"20e6bca2",
		.hash = "4d542473875ecba027e502de707190e922e25bc4b63a277d421234a5d4169ec8",
		.leaf = "5b686bcd63f79697b352e3ca040ae6f401fa362e7f955352251937259fba8680",
	},
};

/* ATL1 */
static const struct
{
	const char *name;
	AtEntryBody body;
	const char *bytes;
	const char *hash;
	const char *leaf;
} vector_entry[] = {
	{
		.name = "ATL1, boot",
		.body.log_id = vector_log_id,
		.body.log_index = 0,
		.body.sealed_at = INT64_C(1795330700000000),
		.body.incarnation = 1,
		.body.kind = {"boot", 4},
		.body.previous = {{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}},
		.body.root = {{0xe3,0xb0,0xc4,0x42,0x98,0xfc,0x1c,0x14,0x9a,0xfb,0xf4,0xc8,0x99,0x6f,0xb9,0x24,0x27,0xae,0x41,0xe4,0x64,0x9b,0x93,0x4c,0xa4,0x95,0x99,0x1b,0x78,0x52,0xb8,0x55}},
		.body.leaf_count = 0,
		.body.tx_count = 0,
		.body.event_count = 0,
		.body.first_tx_at = 0,
		.body.last_tx_at = 0,
		.body.snapshot = {"1:1:", 4},
		.body.payload = {"{\042incarnation\042:1,\042system_identifier\042:\0427300000000000000123\042,\042database_oid\042:16384,\042reason\042:\042init\042}", 96},
		.bytes =
		"41544c31a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000660d800a0bb0000000001"
		"00000004626f6f740000000000000000000000000000000000000000000000000000000000000000"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550000000000000000"
		"000000000000000000000000000000000000000000000000000000000000000000000004313a313a"
		"000000607b22696e6361726e6174696f6e223a312c2273797374656d5f6964656e74696669657222"
		"3a2237333030303030303030303030303030313233222c2264617461626173655f6f6964223a3136"
		"3338342c22726561736f6e223a22696e6974227d",
		.hash = "fddb69a728013487016ea2418d0fdab6c7e39d43f8b5b631dacabbc03ff5a466",
		.leaf = "2909e31fa1119ffc7d52a6baab02ffe9094f811362c8b02b434abb8cb59e48fb",
	},
	{
		.name = "ATL1, a batch of events",
		.body.log_id = vector_log_id,
		.body.log_index = 1,
		.body.sealed_at = INT64_C(1795330801000000),
		.body.incarnation = 1,
		.body.kind = {"events", 6},
		.body.previous = {{0xfd,0xdb,0x69,0xa7,0x28,0x01,0x34,0x87,0x01,0x6e,0xa2,0x41,0x8d,0x0f,0xda,0xb6,0xc7,0xe3,0x9d,0x43,0xf8,0xb5,0xb6,0x31,0xda,0xca,0xbb,0xc0,0x3f,0xf5,0xa4,0x66}},
		.body.root = {{0x48,0x13,0x49,0x4d,0x13,0x7e,0x16,0x31,0xbb,0xa3,0x01,0xd5,0xac,0xab,0x6e,0x7b,0xb7,0xaa,0x74,0xce,0x11,0x85,0xd4,0x56,0x56,0x5e,0xf5,0x1d,0x73,0x76,0x77,0xb2}},
		.body.leaf_count = 5,
		.body.tx_count = 2,
		.body.event_count = 3,
		.body.first_tx_at = INT64_C(1795330800000001),
		.body.last_tx_at = INT64_C(1795330800000002),
		.body.snapshot = {"730:735:731,733", 15},
		.body.payload = {NULL, 0},
		.bytes =
		"41544c31a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000001000660d806a5de4000000001"
		"000000066576656e7473fddb69a728013487016ea2418d0fdab6c7e39d43f8b5b631dacabbc03ff5"
		"a4664813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2000000000000"
		"000500000000000000020000000000000003000660d806969c01000660d806969c020000000f3733"
		"303a3733353a3733312c373333ffffffff",
		.hash = "2699d2b69666ea25c53fb5eb873f006d8e70b5abe5f658f8c4441f9848ae1d6e",
		.leaf = "fef24d8c3ceafc65ba9d101c992d4e9839f3fb814a94f39aac39ce40150b0020",
	},
	{
		.name = "ATL1, all strings missing, integers zero",
		.body.log_id = vector_log_id,
		.body.log_index = 0,
		.body.sealed_at = 0,
		.body.incarnation = 0,
		.body.kind = {NULL, 0},
		.body.previous = {{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}},
		.body.root = {{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}},
		.body.leaf_count = 0,
		.body.tx_count = 0,
		.body.event_count = 0,
		.body.first_tx_at = 0,
		.body.last_tx_at = 0,
		.body.snapshot = {NULL, 0},
		.body.payload = {NULL, 0},
		.bytes =
		"41544c31a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000000000000000000000"
		"ffffffff000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000ffffffffffffffff",
		.hash = "979f9e918d5fad88b6c1e6677025e77f136adac4b6ab10b470cd3cc66ab6384a",
		.leaf = "a69eea43c02c247a47394f1afc52e6c241b23ad8f23defa867155982fdbef6ee",
	},
	{
		.name = "ATL1, all strings empty, integers zero",
		.body.log_id = vector_log_id,
		.body.log_index = 0,
		.body.sealed_at = 0,
		.body.incarnation = 0,
		.body.kind = {"", 0},
		.body.previous = {{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}},
		.body.root = {{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}},
		.body.leaf_count = 0,
		.body.tx_count = 0,
		.body.event_count = 0,
		.body.first_tx_at = 0,
		.body.last_tx_at = 0,
		.body.snapshot = {"", 0},
		.body.payload = {"", 0},
		.bytes =
		"41544c31a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000000000000000",
		.hash = "c04551cbe9723a8618b8cb5efab73775f810484439b33cf761dbde9b4b05c3a4",
		.leaf = "6f2445763c4bd3d227aca5f23ab4c420da58e02115fc9b21e79f3cf7b7f658de",
	},
	{
		.name = "ATL1, all strings one zero byte, integers least",
		.body.log_id = vector_log_id,
		.body.log_index = 0,
		.body.sealed_at = INT64_MIN,
		.body.incarnation = 0,
		.body.kind = {"\000", 1},
		.body.previous = {{0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff}},
		.body.root = {{0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff}},
		.body.leaf_count = 0,
		.body.tx_count = 0,
		.body.event_count = 0,
		.body.first_tx_at = INT64_MIN,
		.body.last_tx_at = INT64_MIN,
		.body.snapshot = {"\000", 1},
		.body.payload = {"\000", 1},
		.bytes =
		"41544c31a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000800000000000000000000000"
		"0000000100ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0000000000000000000000"
		"000000000000000000000000008000000000000000800000000000000000000001000000000100",
		.hash = "391265d1ffbd7eba12e3bc372350c812fd8fcd821f78143aac9213226d9e26cb",
		.leaf = "53676319269c9fa63f023bb26a709c17d42f6434a5cd99027edd97b48d4946e1",
	},
	{
		.name = "ATL1, UTF-8 and control bytes, integers greatest",
		.body.log_id = vector_log_id,
		.body.log_index = UINT64_C(18446744073709551615),
		.body.sealed_at = INT64_MAX,
		.body.incarnation = INT64_C(4294967295),
		.body.kind = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.previous = {{0x2d,0x71,0x16,0x42,0xb7,0x26,0xb0,0x44,0x01,0x62,0x7c,0xa9,0xfb,0xac,0x32,0xf5,0xc8,0x53,0x0f,0xb1,0x90,0x3c,0xc4,0xdb,0x02,0x25,0x87,0x17,0x92,0x1a,0x48,0x81}},
		.body.root = {{0x2d,0x71,0x16,0x42,0xb7,0x26,0xb0,0x44,0x01,0x62,0x7c,0xa9,0xfb,0xac,0x32,0xf5,0xc8,0x53,0x0f,0xb1,0x90,0x3c,0xc4,0xdb,0x02,0x25,0x87,0x17,0x92,0x1a,0x48,0x81}},
		.body.leaf_count = UINT64_C(18446744073709551615),
		.body.tx_count = UINT64_C(18446744073709551615),
		.body.event_count = UINT64_C(18446744073709551615),
		.body.first_tx_at = INT64_MAX,
		.body.last_tx_at = INT64_MAX,
		.body.snapshot = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.body.payload = {"na\303\257ve \000 \042\134\012 \346\274\242", 16},
		.bytes =
		"41544c31a0a1a2a3a4a5a6a7a8a9aaabacadaeafffffffffffffffff7fffffffffffffffffffffff"
		"000000106e61c3af7665200020225c0a20e6bca22d711642b726b04401627ca9fbac32f5c8530fb1"
		"903cc4db02258717921a48812d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717"
		"921a4881ffffffffffffffffffffffffffffffffffffffffffffffff7fffffffffffffff7fffffff"
		"ffffffff000000106e61c3af7665200020225c0a20e6bca2000000106e61c3af7665200020225c0a"
		"20e6bca2",
		.hash = "bcd06dade49f2c345ae374e1aaf18ea6e24b36a80020bf3a70eba2080c6bc3b8",
		.leaf = "cf31162a9943ebc7fdbe6b9ef4bb45e1cef5ecd4cebbbdd5d8381dc712c03093",
	},
};

/* the first entry above with a payload of AT_MAX_PAYLOAD times 'x' */
#define VECTOR_LARGEST_ENTRY_SIZE 60164
#define VECTOR_LARGEST_ENTRY_HASH "8eb6d803cd8c225bb5830b46246068bc49d4babca02d07e8bd71b67fda810498"

/* the chain of a transaction of all events above: c0, then c1, ... */
static const struct
{
	uint64_t tx_id;
	const char *start;
	const char *after[sizeof(vector_event) / sizeof(vector_event[0])];
} vector_chain[] = {
	{
		1042,
		"e1b6b7a7fd67e9972ea7d2f9de9aa04ca855a16a741880764c05eab70900210f",
		{
			"7b51e7dcc9f2088771b0c849567720aaa9751d44e917feebe794d6c392890847",
			"13c20b2ad54dc12da52388a6f534835c658b9eb37192fbe476a7e3bca9ad00ad",
			"20f816f3233cc76bb785ceb5f1eb560f5a594a6976ef3f9ae09a6428aaad0d1a",
			"c24a0b63910739a08b663a97d17465a82727b0a93da1dc0ce1f4ce322b8f3419",
			"8fc6604d0349de5f5cdf9b25839174156515390e0985ae4233d5c996ff1a6572",
			"4d0a95a22a9485417e6a29b8e99ac89ca5ccb0560c8296400b796ed90a5aa333",
			"22eff81d6bfefc9ca902d3051b4c66278a996d05c74beda6ba7d6835ed1abd5a",
		},
	},
	{
		0,
		"9d7050fd4a3d8ba43fded41b4ce5f786a7e9c1c12fa9b710fe838164e9cc9d13",
		{
			"13a9f0918c5aaa5af6a5b8787ff4a420fd3976f26a978dc02a9eb1731873e000",
			"5c2f9dc07597d736cec4b7302b7a828299a9ad5a18d74ace542c322486bb6f4b",
			"d6c95b67aee89df0cc6c2c3b1238be5ba94efb7339d7f5b3edcc0f3133e31f8d",
			"8feb8d44e258bdfc30fba1eab049b0d33a416883ca78405843be9d57991553be",
			"3a93d847ee9304a080d47137d551f872be4c376bed09dbab8a520f20b00660b7",
			"7cdea489ba3e4d696efc281e965b2fe5ac34322d783f160106c569bbb5feac45",
			"2414d9799a1ef321aba10c083b7e5c8ba659e7fd2ef4c7b3c4b044a992b3c3f1",
		},
	},
	{
		UINT64_C(18446744073709551615),
		"a72c07c0d198286884848d690f4b07455bc04918e9cc787bebd41edd40bbabc1",
		{
			"a0532a556de7b477c74db3192869307f324acb31bb2a060916abd95e919b10a9",
			"c77a635a613c6c39fe9a5c0d1228f08a0f2665dfdc7aa2e9fca28f81a2d3916e",
			"504438cc1cfb26cc3b79cb9265bd102172327bd64f12377c01e94bf940f539d9",
			"89a39c176183e190e0cfb530e57d380d405396ee4e60566092773aeee27f3917",
			"af71795c20503fc49dbc15ff58a85899bc06e4f9be12beec19230e1dc8d80ab9",
			"bb5abd4d97e0840b449c0c6b66f673ba3b35da771378a36738bc2c7a7bd3e2c5",
			"b496d5a6dd7871b3a96415caf3e28c325502d51c2886047e1c7e470cbd6d8825",
		},
	},
};

/* the runs of a tile, and the same as stored */
static const AtRun vector_run[] = {
	{7, 0, 0, true},
	{1042, 1, 3, true},
	{1043, 1, 2, false},
	{1044, 5, 1, false},
	{UINT64_C(18446744073709551615), INT64_C(4294967294), 2, true},
};

static const char vector_owners[] =
		"00000000000000070000000080000000000000000000041200000001800000030000000000000413"
		"000000010000000200000000000004140000000500000001fffffffffffffffffffffffe80000002";

/* leaves and their hashes */
static const struct
{
	const char *bytes;
	const char *hash;
} vector_tree8_leaf[] = {
	{"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
	{"00", "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"},
	{"10", "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"},
	{"2021", "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7"},
	{"3031", "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"},
	{"40414243", "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658"},
	{"5051525354555657", "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"},
	{"606162636465666768696a6b6c6d6e6f", "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1"},
};

/* trees of the leaves above */
static const struct
{
	uint64_t size;
	const char *root;
	const char *frontier;
} vector_tree8[] = {
	{
		0,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"",
	},
	{
		1,
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	},
	{
		2,
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	},
	{
		3,
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c1250298d122906dcfc1"
		"0892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
	},
	{
		4,
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	},
	{
		5,
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7bc1a0643b12e4d2d"
		"7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
	},
	{
		6,
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b70ebc5d3437fbe2db"
		"158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
	},
	{
		7,
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b70ebc5d3437fbe2db"
		"158b9f126a1d118e308181031d0a949f8dededebc558ef6ab08693ec2e721597130641e8211e7eed"
		"ccb4c26413963eee6c1e2ed16ffb1a5f",
	},
	{
		8,
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	},
};

/* leaf i (0-based) data = 8-byte big-endian i */
static const struct
{
	uint64_t size;
	const char *root;
	const char *frontier;
} vector_big_tree[] = {
	{
		0,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"",
	},
	{
		1,
		"3e7077fd2f66d689e0cee6a7cf5b37bf2dca7c979af356d0a31cbc5c85605c7d",
		"3e7077fd2f66d689e0cee6a7cf5b37bf2dca7c979af356d0a31cbc5c85605c7d",
	},
	{
		2,
		"a7d91894b61fbf46378d88e3e1b1f7aef39532c504b484bd31551d15e0a09dff",
		"a7d91894b61fbf46378d88e3e1b1f7aef39532c504b484bd31551d15e0a09dff",
	},
	{
		3,
		"9b4965f8b220ba42f7039ad0781c966cf90bb1aea15a80586d634b322ab1f4ce",
		"a7d91894b61fbf46378d88e3e1b1f7aef39532c504b484bd31551d15e0a09dffd81f51781eeb8f46"
		"a0e112e86ca335896ccc12cee00e6cfcf58a3501129dfc24",
	},
	{
		4,
		"b15d2b1b07adada9b13b555c08062b1ae78ad1b0b7e99d97d942c936a6244439",
		"b15d2b1b07adada9b13b555c08062b1ae78ad1b0b7e99d97d942c936a6244439",
	},
	{
		5,
		"cb03def0c5b63bdecbed6cd863c8e61edab23e1ac7ab70281c699183cac2bef6",
		"b15d2b1b07adada9b13b555c08062b1ae78ad1b0b7e99d97d942c936a62444399899307f9d747746"
		"122575edeeb3963c7c83c029241f82a3d17b99972878db0e",
	},
	{
		7,
		"45cea7edca9543ee5575a5774d0d8fa9321a8be084b3fb657fa4f6d071a3c94c",
		"b15d2b1b07adada9b13b555c08062b1ae78ad1b0b7e99d97d942c936a62444395fd892ece948a991"
		"cee85fec349b29317d46711993c17e6c19219a925ce0285b0637b6e1ea2b5ac884638aa33bf61a59"
		"19108d463e4cf3788535349ae0ac8f13",
	},
	{
		8,
		"b15acd8b1ccf7a9b81c04f69b27e5cabd67e90be0e6ff6a4d1ed87004a4f0cc1",
		"b15acd8b1ccf7a9b81c04f69b27e5cabd67e90be0e6ff6a4d1ed87004a4f0cc1",
	},
	{
		9,
		"3e2987869dc36998b6f67918adff23a25059121845276c5cd9bc690b4b480a19",
		"b15acd8b1ccf7a9b81c04f69b27e5cabd67e90be0e6ff6a4d1ed87004a4f0cc14b7735f6f1a0cef1"
		"8db371351b21e5fb694b89d3bd90731797ce797746c97dfc",
	},
	{
		255,
		"bb3b9743e08118ea583ae77df04a1449a0601cde6f75146d79c2cab6366ce210",
		"1c448462b324917536e6c10d8717d0c1950e676041eb1ebb382d18479866c023092349c9b0948784"
		"9a76c2f9d14023193690ab4ff4129bd7adae590cfd869892c0ee9eb85aebd5d99e7393c91e9567fc"
		"c0311f465538cae0dca4232bd7372e0b5ae4281036cbc06e7c21bae36c517409b630095cf7649ac0"
		"2422f44074efb52a9fbc02a266bec8dbf929181b09234a87605102569431234def838d1c3b67785e"
		"e8bfb91be7356864006fb319d91e36bdb8ba5e84a27fc6d0f5cd2bee57106a8bc4d404c5cdcaabd3"
		"882afc33a02a21ae455b94294fd15e2e152f25eaadec38ec724a484025f723d790aeec0981da1217"
		"423b071207983a7bd97a74af91aed077",
	},
	{
		256,
		"15e2dd4973ae44de8c8cf3048fd98d17adaaea6287f4e0606a55a643617408c0",
		"15e2dd4973ae44de8c8cf3048fd98d17adaaea6287f4e0606a55a643617408c0",
	},
	{
		257,
		"d418c0873259bce7d0561ab004486112416c1c4490865415342bfe06e673146c",
		"15e2dd4973ae44de8c8cf3048fd98d17adaaea6287f4e0606a55a643617408c0e64cf59bfbcf3c57"
		"43ccd9eda3a811a7966689717a8499e5b1ef0cb1f33bf4b6",
	},
	{
		511,
		"ef22c6a8301db392501febfa56e97580671b9bed4e1aa9fa195a2c7d907a82f9",
		"15e2dd4973ae44de8c8cf3048fd98d17adaaea6287f4e0606a55a643617408c0f508f378835fdfa3"
		"82469240533f287090a673b6695ff3444b822231f51c465220e2db96d4b6feaf704de20f12428ef7"
		"4972f7a39b073006bd5ea4f3eb9e5062d2c189a2d31860c7b6168101f3ac512f6b7e12fdac14b41a"
		"de048f35c051a88b8d6a1eede7bd3d38ce17016762d0f9f1651946b3f88a625403a4d967e55786bb"
		"969c74014cecda72b1d127445c785940c4a87f1787e8315e84180397ff08e1d59828bc20c75f7a8b"
		"b14663156f9b097cd13b1f9d9b8f0ffc76e5168f14e1d46abaf0be06900570e08531fd149b0e8572"
		"32728aa88fd49078c65a02572d406ee8190168fcabd7279066b477cde24d4a33d20937ed94a738fe"
		"b207c6353433627d",
	},
	{
		512,
		"3adf8fb25fc5a1fef35934e788cdacf7d39d6b613f801fe624c97fde2d159fae",
		"3adf8fb25fc5a1fef35934e788cdacf7d39d6b613f801fe624c97fde2d159fae",
	},
	{
		513,
		"1da4b32f0590868b064498657231f588d49d925bc9a0473cbed276f0ef32befd",
		"3adf8fb25fc5a1fef35934e788cdacf7d39d6b613f801fe624c97fde2d159fae3c1b31a54751736e"
		"b5294d193d0d92594dbfcf5e48a8b7e7ef520ce60d796d0b",
	},
	{
		1000,
		"c89faf3395d034a77c12c76d636db96358d6d2839c3c68f6329a07231e82fce2",
		"3adf8fb25fc5a1fef35934e788cdacf7d39d6b613f801fe624c97fde2d159fae1a3061ea07a9f047"
		"e30e01a348f69f72af93f9a9cc02a5683d4a29a4f92554c5d9d4379ad20c69fda554bd569a1ef7ab"
		"a4e479007d6b6bb711a1c79702fce284a47ca85a4cff566ce24366cf65ae570e07870da3b729e463"
		"84136be866a7712a604bad0648e0d5dc06cb735cc2b134bc207148d4bf9c78629c28b0772e10f47f"
		"55bce31a303fd5014f8067590cb6ac276b17c7b3f466b3257433fcfa631be8ba",
	},
	{
		65535,
		"e7321cd57abf36c522d89e6d26bd9098a37b6a8b06b318976269e701f6d4802d",
		"6fc17ac84e081c22ab7d1f38377ce588b569932fa133b75d6d8559152ba162eb2f6071989d1d9d31"
		"c68f567598bfc29be6586fa688382e25a8e5caaafeed1de8f78b76c0e663a0032242f10f7e35c316"
		"c07f11b3c10e346cef325ba8f60464053c11d22aaa11b8a496cc1ca611c3b9f95070147fc13d903f"
		"ebff67c486a8dd5fc8f323e814b35ef5d19a2875b4332a4320feb657c7b0797eefa8026ece6ec689"
		"e58688ae97fdfe395c4046a4d21e9e992147dfe179109fcb4cfc85aacb9bdf3faf7330bd893dc7ce"
		"70855d02e68e6a13b04337dff98d534529d7765222c5f76211ebbc136229cd548103ea82eec88e42"
		"1239f151d424c4efc30312d1f61e2c565a5c787d5742c1b04daf1e60241c443257edf79457da7a29"
		"d14adf7e795f5b20b6784fa1a8f93a8a32c43a6483c2bfabb9ba8f511b60e7407c853189f222c441"
		"59a00ab47e87c6e3edef04f4b1307facaf1e244b63eb71a86b66832924d4a10b33b885b32383d812"
		"fc52ddb0c5f2f0dbb3fa99b876641dba40c094328f833b997198509dbcf0ee1c0f6cf6d8bf50acd3"
		"30609f7141230bd2e11d0a13489768df28d327b804c41456a11e4f2a0ef495c385084614d8e20a15"
		"a18841d59292afe0811d58da8022bb95024edf4bc1ca7d2d0642bf2266338183a6a40966e716796e"
		"1f8fba06df6c2600001703d6b853a65a6b93972832382e3e62a610bb0aa6aa30",
	},
	{
		65536,
		"bc9bca909516d5bf148c2bf2dea0a0d9f717ce4987d2fe7504d6694363b41598",
		"bc9bca909516d5bf148c2bf2dea0a0d9f717ce4987d2fe7504d6694363b41598",
	},
	{
		65537,
		"a901bb447a4b4c361cdf559658f27f24a8a3ebbc49257c472efe950932d4853a",
		"bc9bca909516d5bf148c2bf2dea0a0d9f717ce4987d2fe7504d6694363b415989d2acc50176c4043"
		"9f056a30952ca9166bd6c1144bd43e66fc7a12c1029112b7",
	},
	{
		69999,
		"e7e7063916ec812e7cbb0d432fa3b5bdeee356270016b2e9af57bc79b8bcf11e",
		"bc9bca909516d5bf148c2bf2dea0a0d9f717ce4987d2fe7504d6694363b41598fc72eaadf0a6ea02"
		"ecc90e91fcf2de6356dc9706100014d820a3fbb4d3015bba96b60d3d3cf89bf4817f69df488e8a36"
		"2b825073af92f1432c9c74fdfadca5ebdeec168c578ca18aca33769435798bd6c69ab1e897b97804"
		"b2b780f62b36460be718d73eda55c0a4946aa7308b323c44f5ad545332ebdb42e636254743743dbd"
		"d529934f33d5044bda800eadab72e6e46d34ac7f367dcc0df8d43294aba1ac6aa1b401a88a0c289e"
		"8e4cce6ba27fd411b866fc8fdffb69b996c5c64af01dd7c3b1afd3f5ddafa7372535f3d29d54d760"
		"4e684a48e4e5c415bc708a3577de59e9a1388c38fd195626463f9157a46b1365b5c2c55a7a55e9b0"
		"dc46829ccc364832",
	},
	{
		70000,
		"0759167a0f98e35e802d46ff7c7d29d2c3f03a63a256deb6abbff357a91b63b1",
		"bc9bca909516d5bf148c2bf2dea0a0d9f717ce4987d2fe7504d6694363b41598fc72eaadf0a6ea02"
		"ecc90e91fcf2de6356dc9706100014d820a3fbb4d3015bba96b60d3d3cf89bf4817f69df488e8a36"
		"2b825073af92f1432c9c74fdfadca5ebdeec168c578ca18aca33769435798bd6c69ab1e897b97804"
		"b2b780f62b36460be718d73eda55c0a4946aa7308b323c44f5ad545332ebdb42e636254743743dbd"
		"4d5bace450d303dc262473d6d2997e76a87912920e2eeaeb0ba4e2d693df5591",
	},
};

/* leaf tiles of the same tree: SHA-256 of all hashes in them */
static const struct
{
	uint64_t first;
	int width;
	const char *hash;
} vector_tile[] = {
	{0, 256, "20cd0859c7fb4ae9eeac1d244887e6f9342d86ce0b1a1c7bb244915d3d0dc971"},
	{256, 256, "d36f50d3b2ac0729012548b55133892defd60842ed3320a42b2f64eccce033c1"},
	{69632, 256, "f33da3aeeb4da30453ed750cea6fd7a46dbb364aaf65b9747d180a316fdf6571"},
	{69888, 112, "c7ebb1581fb37d08e8c14ef23ce02ebd07d79d783b6515c740d8b9f566ef0289"},
};

/* values in the place of others */
static const struct
{
	const char *secret;
	const char *nonce;
	uint8_t side;
	AtSpan subject;
	AtSpan column;
	AtSpan value;
	const char *id;
	const char *hash;
	const char *commitment;
} vector_commitment[] = {
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"000102030405060708090a0b0c0d0e0f",
		'N',
		{"42", 2},
		{"email", 5},
		{"zo\303\253@example.com", 16},
		"fbb302bb",
		"74b1af7bef7567506f4fcececf1569ee38047da2cce47160f263ac804aa3f1b1",
		"4319e49033b13f82f712c76db92f0b89af1344be5cfa2c4da77aac2f990c4921",
	},
	{
		"2a38ea589ea53942aaadc5460a48cf8e43f1092108d181a371451050758aaf51",
		"000102030405060708090a0b0c0d0e0f",
		'N',
		{"42", 2},
		{"email", 5},
		{"zo\303\253@example.com", 16},
		"806e8ae1",
		"01b0a5d3e05bc69bde2b9d95b8ca9b2efe3574361d4771b400f6d5442e1eb1bd",
		"797cb84ee1e863fa07dcd99fe88756748a7806acef7181fbcf05c2ad46f9cf39",
	},
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"0102030405060708090a0b0c0d0e0f10",
		'N',
		{"42", 2},
		{"email", 5},
		{"zo\303\253@example.com", 16},
		"fbb302bb",
		"74b1af7bef7567506f4fcececf1569ee38047da2cce47160f263ac804aa3f1b1",
		"16ba26b41b7aebde3529ad0d9d962ddb0892487376c82f544ea27e82cc7e63f0",
	},
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"000102030405060708090a0b0c0d0e0f",
		'O',
		{"42", 2},
		{"email", 5},
		{"zo\303\253@example.com", 16},
		"fbb302bb",
		"74b1af7bef7567506f4fcececf1569ee38047da2cce47160f263ac804aa3f1b1",
		"1800938d2a6f63194dc934790b3f583fff3835ee565d14793a75a426109d0bb2",
	},
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"000102030405060708090a0b0c0d0e0f",
		'N',
		{NULL, 0},
		{"email", 5},
		{"zo\303\253@example.com", 16},
		"fbb302bb",
		"74b1af7bef7567506f4fcececf1569ee38047da2cce47160f263ac804aa3f1b1",
		"322fd54958a4cc22f49152b7cab8d397c4ffa1da4597dfe927689fee76a1b4e0",
	},
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"000102030405060708090a0b0c0d0e0f",
		'N',
		{"", 0},
		{"email", 5},
		{"zo\303\253@example.com", 16},
		"fbb302bb",
		"74b1af7bef7567506f4fcececf1569ee38047da2cce47160f263ac804aa3f1b1",
		"e59b49d53ca28a96effa54c7421fca3b9d8034d71b00eee7c9f8c5a1b28886bb",
	},
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"000102030405060708090a0b0c0d0e0f",
		'N',
		{"42", 2},
		{"name", 4},
		{"zo\303\253@example.com", 16},
		"fbb302bb",
		"74b1af7bef7567506f4fcececf1569ee38047da2cce47160f263ac804aa3f1b1",
		"183a39ed05f1a7ef9a6b76220d7a6d989cd25797d1b5c8c17f21ae348d89a098",
	},
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"000102030405060708090a0b0c0d0e0f",
		'N',
		{"42", 2},
		{"email", 5},
		{"", 0},
		"fbb302bb",
		"79c9dfe0fb4616a797831536a958c867522585195c659d440d28da5ff13e5fda",
		"bc85daebd55601cd081e7355d413e39a5513cb473eb9808b6c7b4a0d7e28e43f",
	},
	{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"000102030405060708090a0b0c0d0e0f",
		'N',
		{"42", 2},
		{"email", 5},
		{"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1000},
		"fbb302bb",
		"f2760d6441af739580d188efe6de94bca573b1fcff591e94ccb5767b54ef1419",
		"dfa7c2ffc2d81ea44407524ba5eae53d46c68258a0cd4a1e22a6fa9325b5fc4b",
	},
};

/* clang-format on */

#endif
