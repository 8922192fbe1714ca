/*-------------------------------------------------------------------------
 * test_archive.c
 *		Archives: a log of two batches is read as it was sealed, in segments of
 *		any length, and nothing that was left out, added or changed passes.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/archive.h"

#define MAX_ITEMS 32
#define ROOM      4096

/* What is archived, item by item. */
typedef struct Item
{
	char kind;
	uint8_t bytes[512];
	uint32_t len;
	uint64_t log_index; /* of the entry that it is, or belongs to */
	uint64_t leaf;      /* its number; of an entry or a session that of the leaf behind it */
	int64_t tx_at;
} Item;

static uint8_t log_id[AT_LOG_ID_LEN] = "0123456789abcde";
static uint8_t other_id[AT_LOG_ID_LEN] = "another ledger!";
static Item item[MAX_ITEMS];
static int nitems;
static AtArchive archive;
static AtHash log_root;
static const char *order; /* payload of the second control record, an order to purge; or NULL */

static AtSpan
text(const char *string)
{
	return (AtSpan){string, (uint32_t) strlen(string)};
}

static Item *
new_item(char kind, uint64_t log_index, uint64_t leaf, int64_t tx_at)
{
	Item *made = &item[nitems++];

	*made = (Item){.kind = kind, .log_index = log_index, .leaf = leaf, .tx_at = tx_at};
	return made;
}

static void
put_event(uint64_t log_index, uint64_t leaf, uint64_t tx_id, uint32_t ordinal, AtHash *chain)
{
	Item *made = new_item(AT_ARCHIVE_EVENT, log_index, leaf, (int64_t) tx_id * 10);
	AtEventBody body = {.log_id = log_id,
						.tx_id = tx_id,
						.ordinal = ordinal,
						.tx_at = made->tx_at,
						.op = 'I',
						.schema = text("public"),
						.table = text("orders"),
						.record_key = text("1")};
	AtHash hash;

	made->len = (uint32_t) (at_event_body_write(&body, made->bytes) - made->bytes);
	at_hash_leaf(made->bytes, made->len, &hash);
	at_chain_add(chain, &hash);
}

static void
put_transaction(uint64_t log_index, uint64_t leaf, uint64_t tx_id, uint32_t events,
				const AtHash *chain, const AtHash *session)
{
	Item *made = new_item(AT_ARCHIVE_TRANSACTION, log_index, leaf, (int64_t) tx_id * 10);
	AtTransactionBody body = {.log_id = log_id,
							  .tx_id = tx_id,
							  .tx_at = made->tx_at,
							  .session_id = 3,
							  .event_count = events,
							  .digest = *chain};

	if (session != NULL)
		body.session_digest = (AtSpan){session, sizeof(*session)};
	made->len = (uint32_t) (at_transaction_body_write(&body, made->bytes) - made->bytes);
}

static void
put_session(uint64_t log_index, uint64_t leaf, AtHash *hash)
{
	Item *made = new_item(AT_ARCHIVE_SESSION, log_index, leaf, 0);
	AtSessionBody body = {.log_id = log_id, .session_id = 3, .login_user = text("shop")};

	made->len = (uint32_t) (at_session_body_write(&body, made->bytes) - made->bytes);
	at_hash(made->bytes, made->len, hash);
}

/* The entry stands before its leaves, and is made when they are there. */
static void
fill_entry(int at, AtMerkle *log, AtHash *previous)
{
	AtEntryBody entry = {.log_id = log_id,
						 .log_index = item[at].log_index,
						 .incarnation = 1,
						 .kind = text(at + 1 < nitems ? "events" : "guard"),
						 .previous = *previous};
	bool is_order = order != NULL && item[at].log_index == 2;
	AtMerkle batch;
	AtHash leaf;

	if (is_order)
	{
		entry.kind = text("purge");
		entry.payload = text(order);
	}
	at_merkle_init(&batch);
	for (int i = at + 1; i < nitems; i++)
	{
		bool is_transaction = item[i].kind == AT_ARCHIVE_TRANSACTION;

		if (item[i].kind == AT_ARCHIVE_SESSION)
			continue;
		at_hash_leaf(item[i].bytes, item[i].len, &leaf);
		at_merkle_add(&batch, &leaf);
		entry.event_count += !is_transaction;
		entry.tx_count += is_transaction;
		if (is_transaction && (entry.tx_count == 1 || item[i].tx_at < entry.first_tx_at))
			entry.first_tx_at = item[i].tx_at;
		if (is_transaction && (entry.tx_count == 1 || item[i].tx_at > entry.last_tx_at))
			entry.last_tx_at = item[i].tx_at;
	}
	entry.leaf_count = batch.size;
	at_merkle_root(&batch, &entry.root);
	item[at].len = (uint32_t) (at_entry_body_write(&entry, item[at].bytes) - item[at].bytes);
	at_hash(item[at].bytes, item[at].len, previous);
	at_hash_leaf(item[at].bytes, item[at].len, &leaf);
	at_merkle_add(log, &leaf);
}

/*
 * A control record; a batch of two transactions, the first with a session and
 * three events; a control record; a batch of a transaction without events.
 * `wrong` is added to the count that the second transaction has of its events.
 */
static void
make_log(int wrong)
{
	AtMerkle log;
	AtHash previous = {{0}};
	AtHash chain;
	AtHash session;
	int at;

	nitems = 0;
	at_merkle_init(&log);
	new_item(AT_ARCHIVE_ENTRY, 0, 0, 0);
	fill_entry(0, &log, &previous);

	at = nitems;
	new_item(AT_ARCHIVE_ENTRY, 1, 0, 0);
	at_chain_start(log_id, 9, &chain);
	for (uint32_t i = 1; i <= 3; i++)
		put_event(1, i - 1, 9, i, &chain);
	put_session(1, 3, &session);
	put_transaction(1, 3, 9, 3, &chain, &session);
	at_chain_start(log_id, 8, &chain);
	put_event(1, 4, 8, 1, &chain);
	put_transaction(1, 5, 8, (uint32_t) (1 + wrong), &chain, NULL);
	fill_entry(at, &log, &previous);

	at = nitems;
	new_item(AT_ARCHIVE_ENTRY, 2, 0, 0);
	fill_entry(at, &log, &previous);
	at = nitems;
	new_item(AT_ARCHIVE_ENTRY, 3, 0, 0);
	at_chain_start(log_id, 12, &chain);
	put_transaction(3, 0, 12, 0, &chain, NULL);
	fill_entry(at, &log, &previous);
	at_merkle_root(&log, &log_root);
}

/* The place before an item; behind the last one that of the next entry. */
static AtSegmentPlace
place_before(int i)
{
	if (i == nitems)
		return (AtSegmentPlace){4, 0};
	return (AtSegmentPlace){item[i].log_index, item[i].leaf};
}

static AtSegment segment;
static char content[ROOM];
static size_t content_len;

/* The segment of the items from one on and before another. */
static void
make_segment(int first, int last)
{
	AtWriter writer = at_writer(content, sizeof(content));

	segment =
		(AtSegment){.log_id = log_id, .begin = place_before(first), .end = place_before(last)};
	if (first < nitems && segment.begin.leaf > 0)
		for (int i = first; i >= 0; i--)
			if (item[i].kind == AT_ARCHIVE_ENTRY)
			{
				at_segment_item_write(&writer, item[i].kind, (AtSpan){item[i].bytes, item[i].len});
				break;
			}
	for (int i = first; i < last; i++)
	{
		bool is_leaf = item[i].kind == AT_ARCHIVE_EVENT || item[i].kind == AT_ARCHIVE_TRANSACTION;

		at_segment_item_write(&writer, item[i].kind, (AtSpan){item[i].bytes, item[i].len});
		segment.events += item[i].kind == AT_ARCHIVE_EVENT;
		segment.transactions += item[i].kind == AT_ARCHIVE_TRANSACTION;
		if (is_leaf && (segment.first_tx_at == 0 || item[i].tx_at < segment.first_tx_at))
			segment.first_tx_at = item[i].tx_at;
		if (is_leaf && item[i].tx_at > segment.last_tx_at)
			segment.last_tx_at = item[i].tx_at;
	}
	content_len = writer.len;
}

static AtError
read_segment(int first, int last)
{
	make_segment(first, last);
	return at_archive_read(&archive, &segment, (AtText){content, content_len});
}

static AtError
read_all(void)
{
	at_archive_init(&archive);
	return read_segment(0, nitems);
}

static bool
is_whole(void)
{
	AtHash root;

	return archive.place.log_index == 4 && archive.place.leaf == 0 && archive.events == 4 &&
		   archive.transactions == 3 && archive.sessions == 1 && archive.broken == 0 &&
		   archive.log.size == 4 && at_merkle_root(&archive.log, &root) &&
		   memcmp(&root, &log_root, sizeof(root)) == 0;
}

static void
test_whole(void)
{
	bool all = true;

	make_log(0);
	check(read_all() == AT_OK && is_whole(), "an archive is read");
	for (int cut = 0; cut <= nitems; cut++)
	{
		/* not between a session and its transaction, nor between an entry and its first leaf */
		if (cut > 0 && cut < nitems &&
			(item[cut - 1].kind == AT_ARCHIVE_SESSION ||
			 (item[cut - 1].kind == AT_ARCHIVE_ENTRY && item[cut].kind != AT_ARCHIVE_ENTRY)))
			continue;
		at_archive_init(&archive);
		all = all && read_segment(0, cut) == AT_OK && read_segment(cut, nitems) == AT_OK &&
			  is_whole();
	}
	check(all, "so is one in two segments, wherever it is cut");
	at_archive_init(&archive);
	check(read_segment(0, 3) == AT_OK && read_segment(3, 5) == AT_OK &&
			  read_segment(5, nitems) == AT_OK && is_whole(),
		  "or in three, all of the same batch");
}

/* The part behind a checkpoint, whose tree is known. */
static void
test_resumed(void)
{
	AtMerkle log;
	AtHash last;

	at_archive_init(&archive);
	check(read_segment(0, 9) == AT_OK && archive.log.size == 2, "the first two entries are read");
	log = archive.log;
	last = archive.previous;
	at_archive_resume(&archive, &log, &last);
	check(read_segment(9, nitems) == AT_OK && archive.log.size == 4 && archive.events == 0 &&
			  archive.transactions == 1,
		  "and the others by themselves");
	last.bytes[0]++;
	at_archive_resume(&archive, &log, &last);
	check(read_segment(9, nitems) == AT_ERR_PREVIOUS, "behind the right one");
}

static void
test_cut_badly(void)
{
	at_archive_init(&archive);
	check(read_segment(0, 2) == AT_ERR_PLACE, "a segment does not end behind the entry of a batch");
	at_archive_init(&archive);
	check(read_segment(0, 6) == AT_ERR_PLACE, "nor behind a session");
	at_archive_init(&archive);
	check(read_segment(0, 3) == AT_OK && read_segment(4, nitems) == AT_ERR_PLACE,
		  "nothing is left out between two segments");
	at_archive_init(&archive);
	check(read_segment(0, 4) == AT_OK && read_segment(3, nitems) == AT_ERR_PLACE, "or comes twice");
	at_archive_init(&archive);
	check(read_segment(1, nitems) == AT_ERR_PLACE, "nor before the first");
	at_archive_init(&archive);
	make_segment(0, nitems);
	segment.end.leaf++;
	check(at_archive_read(&archive, &segment, (AtText){content, content_len}) == AT_ERR_PLACE,
		  "it ends where it says");

	/* the second one begins without the entry, or with another */
	at_archive_init(&archive);
	check(read_segment(0, 3) == AT_OK, "the first part");
	make_segment(3, 5);
	check(at_archive_begin_segment(&archive, &segment) == AT_OK &&
			  at_archive_add(&archive, item[3].kind, (AtSpan){item[3].bytes, item[3].len}) ==
				  AT_ERR_ITEM,
		  "a segment in the middle of a batch begins with its entry");
	check(at_archive_add(&archive, item[0].kind, (AtSpan){item[0].bytes, item[0].len}) ==
			  AT_ERR_PLACE,
		  "and with no other");
	at_archive_init(&archive);
	check(read_segment(0, 3) == AT_OK, "the first part again");
	make_segment(3, 3);
	check(at_archive_read(&archive, &segment, (AtText){"", 0}) == AT_ERR_PLACE, "nor is it empty");
}

/* Each item left out, given twice, and with each of its bits changed. */
static void
test_each_item(void)
{
	bool left_out = true;
	bool twice = true;
	bool changed = true;
	int good;

	for (int i = 0; i < nitems; i++)
	{
		AtError error;

		at_archive_init(&archive);
		make_segment(0, nitems);
		error = at_archive_begin_segment(&archive, &segment);
		for (int j = 0; j < nitems && error == AT_OK; j++)
			if (j != i)
				error =
					at_archive_add(&archive, item[j].kind, (AtSpan){item[j].bytes, item[j].len});
		if (error == AT_OK)
			error = at_archive_end_segment(&archive);
		/* without its session the root is right, and the transaction tells */
		left_out = left_out &&
				   (error != AT_OK || (item[i].kind == AT_ARCHIVE_SESSION && archive.broken == 1));

		at_archive_init(&archive);
		error = at_archive_begin_segment(&archive, &segment);
		for (int j = 0; j < 2 * nitems && error == AT_OK; j++)
			if (j / 2 == i || j % 2 == 0)
				error = at_archive_add(&archive, item[j / 2].kind,
									   (AtSpan){item[j / 2].bytes, item[j / 2].len});
		if (error == AT_OK)
			error = at_archive_end_segment(&archive);
		twice = twice && error != AT_OK;

		for (uint32_t bit = 0; bit < item[i].len * 8; bit++)
		{
			item[i].bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
			good = read_all() == AT_OK && is_whole();
			changed = changed && !good;
			item[i].bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		}
	}
	check(left_out, "no item can be left out");
	check(twice, "or come twice");
	check(changed, "no bit of an item can be changed");
	check(read_all() == AT_OK && is_whole(), "and it was the change each time");
}

static void
test_header(void)
{
	at_archive_init(&archive);
	make_segment(0, 3);
	segment.log_id = other_id;
	check(at_archive_begin_segment(&archive, &segment) == AT_OK &&
			  at_archive_add(&archive, item[0].kind, (AtSpan){item[0].bytes, item[0].len}) ==
				  AT_ERR_LEDGER,
		  "a segment of one ledger does not have the entries of another");
	at_archive_init(&archive);
	check(read_segment(0, 3) == AT_OK, "a first segment");
	make_segment(3, nitems);
	segment.log_id = other_id;
	check(at_archive_begin_segment(&archive, &segment) == AT_ERR_LEDGER,
		  "the next one is of the same ledger");

	for (int i = 0; i < 4; i++)
	{
		at_archive_init(&archive);
		make_segment(0, nitems);
		segment.events += i == 0;
		segment.transactions -= i == 1;
		segment.first_tx_at += i == 2;
		segment.last_tx_at -= i == 3;
		check(at_archive_read(&archive, &segment, (AtText){content, content_len}) == AT_ERR_COUNTS,
			  "its header says what is in it");
	}
	at_archive_init(&archive);
	make_segment(0, nitems);
	check(at_archive_read(&archive, &segment, (AtText){content, content_len - 1}) == AT_ERR_ITEM,
		  "items are not cut off");
}

/* Put an item in the place of another. */
static AtError
read_with(int at, char kind, const void *bytes, uint32_t len)
{
	Item save = item[at];
	AtError error;

	item[at].kind = kind;
	item[at].len = len;
	memcpy(item[at].bytes, bytes, len);
	error = read_all();
	item[at] = save;
	return error;
}

static void
test_strange_items(void)
{
	uint8_t other[512];

	check(read_with(2, 'X', item[2].bytes, item[2].len) == AT_ERR_ITEM, "other kinds are refused");
	check(read_with(0, AT_ARCHIVE_EVENT, item[2].bytes, item[2].len) == AT_ERR_ITEM,
		  "an event belongs to a batch");
	check(read_with(3, AT_ARCHIVE_ENTRY, item[0].bytes, item[0].len) == AT_ERR_ITEM,
		  "a batch is whole before the next entry");
	check(read_with(3, AT_ARCHIVE_EVENT, item[7].bytes, item[7].len) == AT_ERR_ITEM,
		  "a transaction is ended before the next one begins");
	memcpy(other, item[5].bytes, item[5].len);
	other[item[5].len - 1 - 3 * 4]++;
	check(read_with(5, AT_ARCHIVE_SESSION, other, item[5].len) == AT_ERR_SESSION,
		  "a session is the one that its transaction names");
	check(read_with(4, AT_ARCHIVE_TRANSACTION, item[8].bytes, item[8].len) == AT_ERR_ITEM,
		  "events are ended by their own transaction");
	check(read_with(6, AT_ARCHIVE_EVENT, item[4].bytes, item[4].len) == AT_ERR_ITEM,
		  "behind a session there is a transaction");
	for (int i = 1; i <= 6; i++)
	{
		memcpy(other, item[i].bytes, item[i].len);
		memcpy(other + 4, other_id, AT_LOG_ID_LEN);
		check(read_with(i, item[i].kind, other, item[i].len) == AT_ERR_LEDGER,
			  "an item of another ledger is refused");
		check(read_with(i, item[i].kind, other, item[i].len - 1) == AT_ERR_ITEM,
			  "and one that is malformed");
		if (i == 1)
			i++;
		if (i == 2)
			i = 4;
	}
	memcpy(other, item[9].bytes, item[9].len);
	check(read_with(1, AT_ARCHIVE_ENTRY, other, item[9].len) == AT_ERR_PLACE,
		  "entries follow one another by number");
}

/* The item is purged: what is left of it is the hash of its leaf, under a name. */
static void
let_go(int at, uint64_t tx_id, uint32_t ordinal)
{
	AtHash leaf;

	at_hash_leaf(item[at].bytes, item[at].len, &leaf);
	item[at].kind = AT_ARCHIVE_GONE;
	item[at].len = AT_ARCHIVE_GONE_LEN;
	at_archive_gone_write(tx_id, ordinal, &leaf, item[at].bytes);
}

static void
test_gone(void)
{
	let_go(3, 9, 2);
	check(read_all() == AT_OK && archive.gone_events == 1 && archive.events == 3 &&
			  archive.broken == 0 && archive.gone.log_index == 1 && archive.gone.leaf == 1,
		  "an event that was purged leaves its hash, which goes on with the chain");
	let_go(7, 8, 1);
	let_go(8, 8, 0);
	check(read_all() == AT_OK && archive.gone_transactions == 1 && archive.transactions == 2 &&
			  archive.gone.leaf == 5,
		  "so does a transaction");
	let_go(11, 12, 0);
	check(read_all() == AT_OK && archive.gone_transactions == 2, "or all of a batch");
	item[11].bytes[AT_ARCHIVE_GONE_LEN - 1]++;
	check(read_all() == AT_ERR_BATCH_ROOT, "the hash is that of the leaf");

	make_log(0);
	let_go(2, 9, 1);
	check(read_all() == AT_OK, "the first event of a transaction");
	let_go(3, 9, 3);
	check(read_all() == AT_OK && archive.broken == 1, "under its own name");
	make_log(0);
	let_go(3, 8, 2);
	check(read_all() == AT_ERR_ITEM, "within its own transaction");
	make_log(0);
	let_go(6, 9, 0);
	check(read_all() == AT_ERR_ITEM, "behind a session there is its transaction");
	make_log(0);
	let_go(3, 9, 2);
	item[3].len--;
	check(read_all() == AT_ERR_ITEM, "and it has its length");
	make_log(0);
}

/* Behind an order to purge its list may stand, and nothing else may pass for one. */
static void
test_ordered(void)
{
	static const char payload[] = "{\"events\":1,\"gaps_sha256\":\""
								  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
								  "\"}";
	AtSpan list = text("abc");
	AtSpan other = text("abd");

	order = payload;
	make_log(0);
	at_archive_init(&archive);
	check(read_segment(0, 10) == AT_OK && archive.has_order && archive.order == 2,
		  "an order is told");
	check(at_archive_add(&archive, AT_ARCHIVE_ORDERED, list) == AT_OK, "its list has its hash");
	check(at_archive_add(&archive, AT_ARCHIVE_ORDERED, list) == AT_ERR_ITEM, "and comes once");
	at_archive_init(&archive);
	check(read_segment(0, 10) == AT_OK &&
			  at_archive_add(&archive, AT_ARCHIVE_ORDERED, other) == AT_ERR_DESTRUCTION_LIST,
		  "another list does not");
	check(read_all() == AT_OK && !archive.has_order, "it may be missing");
	order = "{\"events\":1}";
	make_log(0);
	check(read_all() == AT_OK, "an order of another kind");
	order = NULL;
	make_log(0);
	at_archive_init(&archive);
	check(read_segment(0, 10) == AT_OK &&
			  at_archive_add(&archive, AT_ARCHIVE_ORDERED, list) == AT_ERR_ITEM,
		  "what is no order has no list");
}

/* What was broken when it was sealed is archived as it is. */
static void
test_broken(void)
{
	make_log(1);
	check(read_all() == AT_OK && archive.broken == 1 && archive.first_broken == 8,
		  "a transaction that lacks an event is told");
	make_log(0);
}

/* The last batch says something else of itself. */
static AtError
read_with_entry(AtEntryBody *entry)
{
	uint8_t bytes[512];
	size_t len = (size_t) (at_entry_body_write(entry, bytes) - bytes);

	return read_with(10, AT_ARCHIVE_ENTRY, bytes, (uint32_t) len);
}

static void
test_batch(void)
{
	AtEntryBody entry;
	AtEntryBody other;

	check(at_entry_body_read(&entry, item[10].bytes, item[10].len), "the entry of a batch");
	for (int i = 0; i < 4; i++)
	{
		other = entry;
		other.tx_count += i == 0;
		other.event_count += i == 1;
		other.first_tx_at -= i == 2;
		other.last_tx_at += i == 3;
		check(read_with_entry(&other) == AT_ERR_COUNTS, "says how much there is and when");
	}
	other = entry;
	other.root.bytes[0]++;
	check(read_with_entry(&other) == AT_ERR_BATCH_ROOT, "its leaves give its root");
	other = entry;
	other.previous.bytes[0]++;
	check(read_with_entry(&other) == AT_ERR_PREVIOUS, "it has the hash of the entry before");
}

static bool
reads_all(void)
{
	return read_all() == AT_OK;
}

static bool
call_read(void)
{
	return read_all() != AT_ERR_LIBCRYPTO;
}

static bool
call_ordered(void)
{
	archive.has_order = true;
	return at_archive_add(&archive, AT_ARCHIVE_ORDERED, text("abc")) != AT_ERR_LIBCRYPTO;
}

static void
test_failures(void)
{
	int calls = 0;
	bool all = true;

	check_failures(call_ordered, 4, "a list needs libcrypto");
	let_go(2, 9, 1);
	let_go(3, 9, 2);
	check_failures(call_read, 124, "so do hashes of what has gone");
	make_log(0);

	/* as many calls as it takes */
	for (;; calls++)
	{
		AtError error;

		fail_libcrypto(calls);
		error = read_all();
		fail_libcrypto(-1);
		if (error == AT_OK)
			break;
		all = all && error == AT_ERR_LIBCRYPTO;
	}
	check(all && calls > 50, "to read one fails with libcrypto, whichever call fails");
	check(reads_all(), "and does not without");
}

int
main(void)
{
	test_whole();
	test_resumed();
	test_cut_badly();
	test_each_item();
	test_header();
	test_strange_items();
	test_gone();
	test_ordered();
	test_broken();
	test_batch();
	test_failures();
	return check_done();
}
