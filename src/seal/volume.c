/*-------------------------------------------------------------------------
 * volume.c
 *		How many events a batch has, by hour, table version, operation, type
 *		and actor.
 *
 * Events come by transaction, and one is nearly always of the group of the one
 * before. So strings get numbers, the number of a transaction's actor is looked
 * up once, and the group before is compared first: counting costs some
 * nanoseconds an event.
 *
 * Locks: RowExclusiveLock on audit.volume, taken last of all the sealer's.
 * Whoever else writes there holds the lock of passes (volume_rebuild.c).
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/json_scan.h"
#include "ledger/datum.h"
#include "ledger/event.h"
#include "ledger/owner.h"
#include "seal/volume.h"

/* So many groups are stored before there are more. */
#define MAX_GROUPS 65536

#define HOUR_US INT64CONST(3600000000)

typedef struct VolumeKey
{
	int64 hour; /* since 1970 */
	int32 target_id;
	int32 op;
	uint32 type; /* numbers of strings */
	uint32 actor;
} VolumeKey;

typedef struct VolumeGroup
{
	VolumeKey key;
	int64 events;
} VolumeGroup;

/* A string that groups share, by its number. */
typedef struct VolumeName
{
	AtSpan text; /* the key; a copy of ours */
	uint32 number;
} VolumeName;

struct AtVolume
{
	MemoryContext memory; /* holds all below, and is reset when they are stored */
	HTAB *groups;
	HTAB *names;
	AtSpan *text; /* of a number */
	uint32 nnames;
	uint32 capacity;

	VolumeGroup *last; /* group of the event before; NULL: none */
	bool has_actor;
	uint64 tx_id; /* whose actor this is */
	uint32 actor;
};

static void begin(AtVolume *volume);
static uint32 number_of(AtVolume *volume, AtSpan text);
static uint32 actor_of(AtVolume *volume, const AtTransactionRow *tx, const AtEventRow *event);
static void store_groups(AtVolume *volume);

AtVolume *
at_volume_new(void)
{
	AtVolume *volume = palloc0(sizeof(AtVolume));

	volume->memory =
		AllocSetContextCreate(CurrentMemoryContext, "audit volume", ALLOCSET_DEFAULT_SIZES);
	return volume;
}

void
at_volume_add(AtVolume *volume, const AtTransactionRow *tx, const AtEventRow *event)
{
	const AtEventBody *body = &event->body;
	int64 hour = body->occurred_at / HOUR_US - (body->occurred_at % HOUR_US < 0);
	bool found;

	if (volume->groups == NULL)
		begin(volume);

	VolumeKey key = {
		.hour = hour,
		.target_id = event->target_id,
		.op = body->op,
		.type = body->event_type.data ? number_of(volume, body->event_type)
									  : number_of(volume, at_span_of("")),
		.actor = actor_of(volume, tx, event),
	};

	if (volume->last == NULL || memcmp(&volume->last->key, &key, sizeof(key)) != 0)
	{
		volume->last = hash_search(volume->groups, &key, HASH_ENTER, &found);
		if (!found)
			volume->last->events = 0;
	}
	volume->last->events++;
	if (hash_get_num_entries(volume->groups) >= MAX_GROUPS)
		at_volume_store(volume);
}

static uint32
hash_name(const void *key, Size size)
{
	const AtSpan *text = key;

	return hash_bytes((const unsigned char *) text->data, text->len);
}

static int
compare_names(const void *a, const void *b, Size size)
{
	const AtSpan *one = a;
	const AtSpan *other = b;

	return one->len != other->len || memcmp(one->data, other->data, one->len) != 0;
}

static void
begin(AtVolume *volume)
{
	HASHCTL groups = {
		.keysize = sizeof(VolumeKey), .entrysize = sizeof(VolumeGroup), .hcxt = volume->memory};
	HASHCTL names = {.keysize = sizeof(AtSpan),
					 .entrysize = sizeof(VolumeName),
					 .hash = hash_name,
					 .match = compare_names,
					 .hcxt = volume->memory};

	volume->groups =
		hash_create("audit volume groups", 256, &groups, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	volume->names = hash_create("audit volume names", 256, &names,
								HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	volume->nnames = 0;
	volume->capacity = 256;
	volume->text = MemoryContextAlloc(volume->memory, sizeof(AtSpan) * volume->capacity);
	volume->last = NULL;
	volume->has_actor = false;
	(void) number_of(volume, at_span_of("")); /* gets 0 */
}

static uint32
number_of(AtVolume *volume, AtSpan text)
{
	VolumeName *name;
	bool found;

	if (text.len == 0 && volume->nnames > 0)
		return 0;
	name = hash_search(volume->names, &text, HASH_ENTER, &found);
	if (found)
		return name->number;
	if (volume->nnames == volume->capacity)
	{
		volume->capacity *= 2;
		volume->text = repalloc(volume->text, sizeof(AtSpan) * volume->capacity);
	}
	name->text.data = MemoryContextAlloc(volume->memory, Max(text.len, 1));
	memcpy((char *) name->text.data, text.data, text.len);
	name->number = volume->nnames++;
	volume->text[name->number] = name->text;
	return name->number;
}

/*
 * The value of a member of a JSON object that is a string or null; false if there is
 * no such member. A null is text->data == NULL.
 */
static bool
find_member(AtSpan json, const char *name, bool descend, AtSpan *text)
{
	AtJsonScan in;

	at_json_start(&in, (const char *) json.data, json.len);
	if (!at_json_next(&in) || in.kind != '{')
		return false;
	while (at_json_next(&in) && in.kind != '}')
	{
		AtJsonSlice key;
		AtJsonSlice value;

		if (in.kind != '"')
			continue; /* the comma */
		key = at_json_string(&in);
		at_json_next(&in); /* the colon */
		at_json_next(&in);
		if (!at_json_slice_is(key, name))
		{
			(void) at_json_value(&in);
			continue;
		}
		if (descend)
			value = at_json_value(&in);
		else
			value = in.kind == '"' ? at_json_string(&in) : (AtJsonSlice){0};
		*text = (AtSpan){.data = (const void *) value.data, .len = value.len};
		return true;
	}
	return false;
}

/*
 * The actor of an event: that of its transaction, unless the event has a context of its own
 * that says otherwise; as audit.events has it.
 */
static uint32
actor_of(AtVolume *volume, const AtTransactionRow *tx, const AtEventRow *event)
{
	AtSpan context;
	AtSpan actor;

	if (event->body.extra.data != NULL &&
		find_member(event->body.extra, "context", true, &context) &&
		find_member(context, "actor", false, &actor))
		return number_of(volume, actor.data ? actor : tx->body.db_user);
	if (!volume->has_actor || volume->tx_id != tx->body.tx_id)
	{
		volume->actor = number_of(volume, tx->body.actor);
		volume->tx_id = tx->body.tx_id;
		volume->has_actor = true;
	}
	return volume->actor;
}

void
at_volume_store(AtVolume *volume)
{
	if (volume->groups == NULL)
		return;
	store_groups(volume);
	volume->groups = NULL;
	MemoryContextReset(volume->memory);
}

static Datum
text_of(AtSpan span)
{
	return PointerGetDatum(cstring_to_text_with_len((const char *) span.data, span.len));
}

static Datum
make_array(Datum *values, int count, Oid type)
{
	int16 typlen;
	bool typbyval;
	char typalign;

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_array(values, count, type, typlen, typbyval, typalign));
}

/* In the order of the key, so that neighbours share pages, as the ledger's owner. */
static void
store_groups(AtVolume *volume)
{
	static const char command[] =
		"INSERT INTO audit.volume AS v (hour, target_id, op, event_type, actor, events) "
		"SELECT * FROM unnest($1, $2, $3, $4, $5, $6) n (hour, target_id, op, event_type, actor, "
		"events) "
		"ORDER BY 1, 2, 3, 4, 5 "
		"ON CONFLICT (hour, target_id, op, event_type, actor) DO UPDATE SET events = v.events + "
		"excluded.events";
	Oid types[] = {TIMESTAMPTZARRAYOID, INT4ARRAYOID, CHARARRAYOID,
				   TEXTARRAYOID,        TEXTARRAYOID, INT8ARRAYOID};
	static const Oid elements[] = {TIMESTAMPTZOID, INT4OID, CHAROID, TEXTOID, TEXTOID, INT8OID};
	Datum *column[lengthof(elements)];
	Datum values[lengthof(elements)];
	MemoryContext save = MemoryContextSwitchTo(volume->memory);
	int count = hash_get_num_entries(volume->groups);
	HASH_SEQ_STATUS seq;
	AtOwnerState state;
	VolumeGroup *group;
	int row = 0;

	for (int i = 0; i < lengthof(column); i++)
		column[i] = palloc(sizeof(Datum) * count);
	hash_seq_init(&seq, volume->groups);
	while ((group = hash_seq_search(&seq)) != NULL)
	{
		column[0][row] = TimestampTzGetDatum(at_pg_timestamp(group->key.hour * HOUR_US));
		column[1][row] = Int32GetDatum(group->key.target_id);
		column[2][row] = CharGetDatum((char) group->key.op);
		column[3][row] = text_of(volume->text[group->key.type]);
		column[4][row] = text_of(volume->text[group->key.actor]);
		column[5][row++] = Int64GetDatum(group->events);
	}
	for (int i = 0; i < lengthof(column); i++)
		values[i] = make_array(column[i], count, elements[i]);

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute_with_args(command, lengthof(types), types, values, NULL, false, 0) !=
		SPI_OK_INSERT)
		elog(ERROR, "could not store the volume of a batch");
	SPI_finish();
	at_owner_leave(&state);
	MemoryContextSwitchTo(save);
}
