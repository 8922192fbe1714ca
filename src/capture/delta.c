/*-------------------------------------------------------------------------
 * delta.c
 *		From row images to what is recorded of them: key, old and new values.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/toast_internals.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "base/compat.h"
#include "base/json_scan.h"
#include "capture/delta.h"
#include "ledger/shorten.h"

/* A JSON object that grows in front of the length word of its later varlena. */
static void
begin_varlena(StringInfo out)
{
	initStringInfo(out);
	appendStringInfoSpaces(out, VARHDRSZ);
}

static struct varlena *
end_varlena(StringInfo out)
{
	SET_VARSIZE(out->data, out->len);
	return (struct varlena *) out->data;
}

/* Note in extra that a column's value was shortened, once a column. */
static void
note_shortened(AtDelta *delta, const AtColumn *column)
{
	if (delta->extra == NULL)
	{
		delta->extra = makeStringInfo();
		appendStringInfoString(delta->extra, "\"shortened\":[]");
	}

	delta->extra->data[--delta->extra->len] = '\0';
	if (delta->extra->data[delta->extra->len - 1] != '[')
		appendStringInfoChar(delta->extra, ',');
	at_json_quote(column->name, strlen(column->name), delta->extra);
	appendStringInfoChar(delta->extra, ']');
}

/* Append one member; the slot is deformed. */
static void
append_member(AtColumn *column, TupleTableSlot *row, StringInfo out, AtDelta *delta)
{
	int i = column->attnum - 1;

	if (out->len > VARHDRSZ + 1)
		appendStringInfoCharMacro(out, ',');
	appendBinaryStringInfo(out, column->json_name, column->json_name_len);
	if (row->tts_isnull[i])
		appendBinaryStringInfo(out, "null", 4);
	else if (unlikely(column->treatment != AT_PLAIN))
		at_conceal(column, row->tts_values[i], delta->personal, out);
	else if (at_render_json(column, row->tts_values[i], out))
		note_shortened(delta, column);
}

static struct varlena *
whole_row(const AtPolicy *policy, TupleTableSlot *row, AtDelta *delta)
{
	StringInfoData out;

	begin_varlena(&out);
	appendStringInfoCharMacro(&out, '{');
	for (int i = 0; i < policy->ncolumns; i++)
		append_member(&policy->columns[i], row, &out, delta);
	appendStringInfoCharMacro(&out, '}');
	return end_varlena(&out);
}

static struct varlena *
changed_columns(TupleTableSlot *row, AtDelta *delta)
{
	StringInfoData out;

	begin_varlena(&out);
	appendStringInfoCharMacro(&out, '{');
	for (int i = 0; i < delta->nchanged; i++)
		append_member(delta->changed[i], row, &out, delta);
	appendStringInfoCharMacro(&out, '}');
	return end_varlena(&out);
}

/* A JSON array of the key's values. */
static void
append_composite_key(const AtPolicy *policy, TupleTableSlot *row, StringInfo out)
{
	for (int i = 0; i < policy->nkeys; i++)
	{
		AtColumn *column = policy->keys[i];
		int at = column->attnum - 1;

		appendStringInfoCharMacro(out, i == 0 ? '[' : ',');
		if (row->tts_isnull[at])
			appendStringInfoString(out, "null");
		else
			(void) at_render_json(column, row->tts_values[at], out);
	}
	appendStringInfoCharMacro(out, ']');
}

/* Add a member to extra; it is written by the caller, behind its name. */
static StringInfo
add_extra(AtDelta *delta, const char *name)
{
	if (delta->extra == NULL)
		delta->extra = makeStringInfo();
	appendStringInfo(delta->extra, "%s\"%s\":", delta->extra->len > 0 ? "," : "", name);
	return delta->extra;
}

/* A digest stands for the key, which itself goes to extra. */
static void
shorten_key(StringInfo key, AtDelta *delta)
{
	StringInfo extra = add_extra(delta, "key");
	StringInfoData digest;

	at_json_quote(key->data + VARHDRSZ, key->len - VARHDRSZ, extra);
	initStringInfo(&digest);
	at_shorten_key(key->data + VARHDRSZ, key->len - VARHDRSZ, &digest);
	key->len = VARHDRSZ;
	appendBinaryStringInfo(key, digest.data, digest.len);
}

/* Begin to write old ('O') or new ('N') values: whose are they? */
static void
begin_side(const AtPolicy *policy, TupleTableSlot *row, uint8 side, AtDelta *delta)
{
	AtColumn *column = policy->subject;
	StringInfoData text;

	if (likely(!policy->personal))
		return;
	if (delta->personal == NULL)
		delta->personal = palloc0(sizeof(AtPersonal));
	delta->personal->side = side;
	delta->personal->subject = (AtSpan){0};
	if (column == NULL || row->tts_isnull[column->attnum - 1])
		return;
	initStringInfo(&text);
	at_render_text(column, row->tts_values[column->attnum - 1], &text);
	if (text.len > AT_MAX_KEY_BYTES)
	{
		StringInfoData digest;

		initStringInfo(&digest);
		at_shorten_key(text.data, text.len, &digest);
		text = digest;
	}
	delta->personal->subject = (AtSpan){.data = text.data, .len = text.len};
}

/* Say in extra whose values they are. */
static void
note_subject(AtDelta *delta, const char *name, AtSpan subject)
{
	StringInfo extra = add_extra(delta, name);

	if (subject.data == NULL)
		appendStringInfoString(extra, "null");
	else
		at_json_quote(subject.data, subject.len, extra);
}

/* What it takes to check the commitments of the event. `former` is the subject of old values. */
static void
note_personal(AtDelta *delta, AtSpan former)
{
	char hex[2 * AT_NONCE_LEN + 1];
	AtSpan subject;

	if (likely(delta->personal == NULL))
		return;
	subject = delta->personal->subject;
	note_subject(delta, "subject", subject);
	if ((subject.data == NULL) != (former.data == NULL) || subject.len != former.len ||
		(subject.len > 0 && memcmp(subject.data, former.data, subject.len) != 0))
		note_subject(delta, "former_subject", former);
	if (delta->personal->drawn)
	{
		hex[hex_encode((const char *) delta->personal->nonce, AT_NONCE_LEN, hex)] = '\0';
		appendStringInfo(add_extra(delta, "nonce"), "\"%s\"", hex);
	}
}

/* The subject of the side that is being written. */
static inline AtSpan
current_subject(const AtDelta *delta)
{
	return delta->personal != NULL ? delta->personal->subject : (AtSpan){0};
}

/* The key of the row as text; NULL without key or where a single key is null. */
static void
set_key(const AtPolicy *policy, TupleTableSlot *row, AtDelta *delta)
{
	StringInfoData out;

	if (policy->nkeys == 0 || (policy->nkeys == 1 && row->tts_isnull[policy->keys[0]->attnum - 1]))
		return;

	begin_varlena(&out);
	if (policy->nkeys == 1)
		at_render_text(policy->keys[0], row->tts_values[policy->keys[0]->attnum - 1], &out);
	else
		append_composite_key(policy, row, &out);
	if (out.len - VARHDRSZ > AT_MAX_KEY_BYTES)
		shorten_key(&out, delta);
	delta->record_key = end_varlena(&out);
}

void
at_delta_row(const AtPolicy *policy, TupleTableSlot *row, bool is_new, AtDelta *delta)
{
	struct varlena *values;

	memset(delta, 0, sizeof(*delta));
	slot_getallattrs(row);
	begin_side(policy, row, is_new ? 'N' : 'O', delta);
	values = whole_row(policy, row, delta);
	if (is_new)
		delta->new_values = values;
	else
		delta->old_values = values;
	set_key(policy, row, delta);
	note_personal(delta, current_subject(delta));
}

/*
 * Are two values of a type with variable length the same bytes? Equal as they are stored, in line
 * or by the same pointer, they need not be looked into: most columns of an update are.
 */
static inline bool
same_varlena(Datum a, Datum b)
{
	const char *left = DatumGetPointer(a);
	const char *right = DatumGetPointer(b);
	Size size = VARSIZE_ANY(left);

	if (size == VARSIZE_ANY(right) && memcmp(left, right, size) == 0 &&
		(!VARATT_IS_EXTERNAL(left) || VARATT_IS_EXTERNAL_ONDISK(left)))
		return true;
	return datum_image_eq(a, b, false, -1);
}

/* Did a column change? Equal bytes are equal values, and nothing else is. */
static inline bool
has_changed(const AtColumn *column, TupleTableSlot *old_row, TupleTableSlot *new_row)
{
	int i = column->attnum - 1;
	Datum old_value = old_row->tts_values[i];
	Datum new_value = new_row->tts_values[i];

	if (old_row->tts_isnull[i] || new_row->tts_isnull[i])
		return old_row->tts_isnull[i] != new_row->tts_isnull[i];
	if (column->typbyval)
		return old_value != new_value;
	if (column->typlen == -1)
		return !same_varlena(old_value, new_value);
	return !datum_image_eq(old_value, new_value, false, column->typlen);
}

bool
at_delta_update(const AtPolicy *policy, TupleTableSlot *old_row, TupleTableSlot *new_row,
				AtDelta *delta)
{
	bool counts = false;
	AtSpan former;

	memset(delta, 0, sizeof(*delta));
	slot_getallattrs(old_row);
	slot_getallattrs(new_row);
	delta->changed = palloc(sizeof(AtColumn *) * Max(policy->ncolumns, 1));
	for (int i = 0; i < policy->ncolumns; i++)
	{
		AtColumn *column = &policy->columns[i];

		if (!has_changed(column, old_row, new_row))
			continue;
		delta->changed[delta->nchanged++] = column;
		counts = counts || !column->ignored;
	}
	if (!counts)
		return false;

	/* without a key only the whole old row tells which row it was */
	begin_side(policy, old_row, 'O', delta);
	delta->old_values =
		policy->nkeys > 0 ? changed_columns(old_row, delta) : whole_row(policy, old_row, delta);
	former = current_subject(delta);
	begin_side(policy, new_row, 'N', delta);
	delta->new_values = changed_columns(new_row, delta);
	set_key(policy, new_row, delta);
	note_personal(delta, former);
	return true;
}
