/*-------------------------------------------------------------------------
 * image.c
 *		A row in the form in which trail and table are compared.
 *
 * Stored form: for each column a byte that tells whether the cell is known,
 * and if so its length and its bytes; of an opaque one the byte alone.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/json_scan.h"
#include "base/names.h"
#include "capture/conceal.h"
#include "capture/image.h"
#include "ledger/secret.h"
#include "core/hash.h"
#include "ledger/datum.h"

/* Bytes of a row that are shown to people. */
#define SHOWN 1000

/* States of a stored cell. */
enum
{
	UNKNOWN,
	KNOWN,
	OPAQUE
};

/* The cells of opaque values are known by this address. */
static const char opaque[] = "\"" AT_MASK "\"";

static AtJsonSlice slice_of(const char *string);
static void read_member(AtJsonScan *in, AtJsonSlice *name, AtJsonSlice *value);
static int find_name(const AtImageVersion *version, AtJsonSlice name, int expected);
static AtJsonSlice make_cell(const AtImageShape *shape, const AtImageName *name, AtJsonSlice value,
							 bool shortened);
static bool was_shortened(const struct varlena *extra, AtJsonSlice name);
static AtImage *store(const AtImageShape *shape, const AtJsonSlice *cells);

static inline bool
same(AtJsonSlice a, AtJsonSlice b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static AtJsonSlice
slice_of(const char *string)
{
	return (AtJsonSlice){.data = string, .len = strlen(string)};
}

static bool
is_null(AtJsonSlice cell)
{
	return same(cell, slice_of("null"));
}

static bool
is_json(Oid type)
{
	Oid base = getBaseType(type);

	return base == JSONOID || base == JSONBOID;
}

AtImageShape *
at_image_shape(Relation rel, const AtPolicy *policy)
{
	AtImageShape *shape = palloc0(sizeof(AtImageShape));
	TupleDesc desc = RelationGetDescr(rel);

	shape->columns = palloc0(sizeof(AtImageColumn) * Max(policy->ncolumns, 1));
	shape->live.names = palloc0(sizeof(AtImageName) * Max(policy->ncolumns, 1));
	for (int i = 0; i < policy->ncolumns; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, policy->columns[i].attnum - 1);
		AtImageColumn *column = &shape->columns[i];

		column->name = pstrdup(NameStr(attribute->attname));
		column->type = at_type_name(attribute->atttypid, attribute->atttypmod);
		column->verbatim = is_json(attribute->atttypid);
		column->compared = !policy->columns[i].ignored;
		column->treatment = policy->columns[i].treatment;

		/* contents without a key are told apart by their bytes, which two keys would hash twice */
		column->presence = column->treatment == AT_MASKED || column->treatment == AT_PERSONAL ||
						   (column->treatment == AT_HASHED && policy->nkeys == 0);
		if (column->treatment == AT_HASHED && !column->presence)
			shape->hash_start = psprintf("\"" AT_HASH_PREFIX "%s:", at_secret_get()->id);
		shape->live.names[i] = (AtImageName){
			.name = column->name, .column = i, .same_type = true, .treatment = column->treatment};
	}
	shape->ncolumns = shape->live.nnames = policy->ncolumns;
	return shape;
}

/* The value of a string member of an object; data is NULL if there is none. */
static AtJsonSlice
find_member(const char *object, AtJsonSlice wanted)
{
	AtJsonScan in;

	at_json_start(&in, object, strlen(object));
	if (!at_json_next(&in) || in.kind != '{')
		return (AtJsonSlice){0};
	while (at_json_next(&in) && in.kind != '}')
	{
		bool found;

		if (in.kind != '"')
			continue;
		found = same(at_json_string(&in), wanted);
		at_json_next(&in);
		at_json_next(&in);
		if (found && in.kind == '"')
			return at_json_string(&in);
		(void) at_json_value(&in);
	}
	return (AtJsonSlice){0};
}

static AtTreatment
find_treatment(const char *object)
{
	AtJsonSlice word = find_member(object, slice_of("recorded"));

	for (AtTreatment i = AT_PLAIN; i < AT_TREATMENTS && word.data != NULL; i++)
		if (at_treatment_words[i] != NULL && same(word, slice_of(at_treatment_words[i])))
			return i;
	return AT_PLAIN;
}

/* One {"name", "type", "recorded"}; the scan stands on its brace. */
static AtImageName
read_column(const AtImageShape *shape, const AtImageVersion *next, const char *renamed,
			AtJsonScan *in)
{
	AtJsonSlice text = at_json_value(in);
	char *object = pnstrdup(text.data, text.len);
	AtJsonSlice name = find_member(object, slice_of("name"));
	AtJsonSlice type = find_member(object, slice_of("type"));
	AtJsonSlice later = renamed ? find_member(renamed, name) : (AtJsonSlice){0};
	int found = find_name(next, later.data ? later : name, 0);
	int column = found >= 0 ? next->names[found].column : -1;

	return (AtImageName){
		.name = pnstrdup(name.data, name.len),
		.column = column,
		.same_type = column >= 0 && same(type, slice_of(shape->columns[column].type)),
		.treatment = find_treatment(object),
	};
}

AtImageVersion *
at_image_version(const AtImageShape *shape, const AtImageVersion *next, int32 target_id,
				 const char *columns, const char *renamed)
{
	AtImageVersion *version = palloc0(sizeof(AtImageVersion));
	AtJsonScan in;

	version->target_id = target_id;
	version->names = palloc0(sizeof(AtImageName) * MaxHeapAttributeNumber);
	at_json_start(&in, columns, strlen(columns));
	while (at_json_next(&in))
		if (in.kind == '{' && version->nnames < MaxHeapAttributeNumber)
			version->names[version->nnames++] =
				read_column(shape, next ? next : &shape->live, renamed, &in);
	return version;
}

/* The next name of a key; NULL behind the last one, or if the column is not what it is now. */
static const AtImageName *
next_key(const AtImageVersion *version, AtJsonScan *in)
{
	while (at_json_next(in))
	{
		int found;

		if (in->kind != '"')
			continue;
		found = find_name(version, at_json_string(in), 0);
		return found >= 0 && version->names[found].same_type ? &version->names[found] : NULL;
	}
	return NULL;
}

bool
at_image_same_key(const AtImageVersion *version, const char *key_columns,
				  const AtImageVersion *newer, const char *newer_keys)
{
	AtJsonScan a;
	AtJsonScan b;
	const AtImageName *left;
	const AtImageName *right;

	at_json_start(&a, key_columns, strlen(key_columns));
	at_json_start(&b, newer_keys, strlen(newer_keys));
	do
	{
		left = next_key(version, &a);
		right = next_key(newer, &b);
		if (left == NULL || right == NULL)
			return left == NULL && right == NULL && a.kind == '\0' && b.kind == '\0';
	} while (left->column == right->column);
	return false;
}

AtImage *
at_image_read(const AtImageShape *shape, const AtImageVersion *version,
			  const struct varlena *values, const struct varlena *extra)
{
	AtJsonSlice *cells = palloc0(sizeof(AtJsonSlice) * Max(shape->ncolumns, 1));
	int expected = 0;
	AtJsonScan in;

	at_json_start(&in, VARDATA_ANY(values), VARSIZE_ANY_EXHDR(values));
	if (at_json_next(&in) && in.kind == '{')
	{
		while (at_json_next(&in) && in.kind != '}')
		{
			AtJsonSlice name;
			AtJsonSlice value;
			int found;

			if (in.kind != '"')
				continue; /* the comma */
			read_member(&in, &name, &value);
			found = find_name(version, name, expected);
			expected = found + 1;
			if (found >= 0 && version->names[found].same_type)
			{
				int i = version->names[found].column;

				cells[i] =
					make_cell(shape, &version->names[found], value, was_shortened(extra, name));
			}
		}
	}
	return store(shape, cells);
}

/* Name and value of a member; the scan stands on its name, and then at the end of its value. */
static void
read_member(AtJsonScan *in, AtJsonSlice *name, AtJsonSlice *value)
{
	*name = at_json_string(in);
	at_json_next(in);
	at_json_next(in);
	*value = at_json_value(in);
}

/* Whole rows have their columns in order, so the one expected is nearly always right. */
static int
find_name(const AtImageVersion *version, AtJsonSlice name, int expected)
{
	for (int n = 0; n < version->nnames; n++)
	{
		int i = (expected + n) % version->nnames;

		if (same(name, slice_of(version->names[i].name)))
			return i;
	}
	return -1;
}

/* The value's own text: of a string, what it means. */
static AtJsonSlice
own_text(const AtImageColumn *column, AtJsonSlice value)
{
	AtJsonScan in;

	if (column->verbatim || value.len == 0 || value.data[0] != '"')
		return value;
	at_json_start(&in, value.data, value.len);
	return at_json_next(&in) && in.kind == '"' ? at_json_string(&in) : value;
}

static AtJsonSlice
digest_cell(int bytes, const char *hex)
{
	return slice_of(psprintf("\"%d bytes, sha256 %s\"", bytes, hex));
}

/* {"prefix":..., "bytes":n, "sha256":"..."} */
static AtJsonSlice
read_shortened(AtJsonSlice value)
{
	AtJsonSlice bytes = {0};
	AtJsonSlice hex = {0};
	AtJsonScan in;

	at_json_start(&in, value.data, value.len);
	if (!at_json_next(&in) || in.kind != '{')
		return value;
	while (at_json_next(&in) && in.kind != '}')
	{
		AtJsonSlice name;
		AtJsonSlice member;

		if (in.kind != '"')
			continue;
		read_member(&in, &name, &member);
		if (same(name, slice_of("bytes")))
			bytes = member;
		else if (same(name, slice_of("sha256")) && member.len > 2)
			hex = (AtJsonSlice){.data = member.data + 1, .len = member.len - 2};
	}
	if (bytes.data == NULL || hex.data == NULL)
		return value;
	return digest_cell(atoi(pnstrdup(bytes.data, bytes.len)), pnstrdup(hex.data, hex.len));
}

/* Can the value be compared with one of the table? Not what was recorded in another form. */
static bool
is_comparable(const AtImageShape *shape, const AtImageName *name, AtJsonSlice value)
{
	const AtImageColumn *column = &shape->columns[name->column];

	if (column->presence || name->treatment != column->treatment)
		return false;
	return column->treatment != AT_HASHED ||
		   (value.len > strlen(shape->hash_start) &&
			memcmp(value.data, shape->hash_start, strlen(shape->hash_start)) == 0);
}

static AtJsonSlice
make_cell(const AtImageShape *shape, const AtImageName *name, AtJsonSlice value, bool shortened)
{
	const AtImageColumn *column = &shape->columns[name->column];
	char hex[2 * AT_HASH_LEN + 1];
	AtJsonSlice text;
	AtHash hash;

	if (is_null(value))
		return value;
	if (!is_comparable(shape, name, value))
		return slice_of(opaque);
	if (shortened)
		return read_shortened(value);
	if (value.len <= AT_IMAGE_LONG)
		return value;
	text = own_text(column, value);
	if (text.len <= AT_IMAGE_LONG)
		return value;
	if (!at_hash(text.data, text.len, &hash))
		at_hash_failed();
	hex[hex_encode((char *) hash.bytes, AT_HASH_LEN, hex)] = '\0';
	return digest_cell(text.len, hex);
}

/* Is the column among those that extra calls shortened? */
static bool
was_shortened(const struct varlena *extra, AtJsonSlice name)
{
	AtJsonScan in;

	if (extra == NULL)
		return false;
	at_json_start(&in, VARDATA_ANY(extra), VARSIZE_ANY_EXHDR(extra));
	if (!at_json_next(&in) || in.kind != '{')
		return false;
	while (at_json_next(&in) && in.kind != '}')
	{
		if (in.kind != '"')
			continue;

		bool is_list = same(at_json_string(&in), slice_of("shortened"));

		at_json_next(&in);
		at_json_next(&in);
		if (!is_list)
			(void) at_json_value(&in);
		while (is_list && at_json_next(&in) && in.kind != ']')
			if (in.kind == '"' && same(at_json_string(&in), name))
				return true;
	}
	return false;
}

static bool
is_opaque(AtJsonSlice cell)
{
	return cell.data == opaque;
}

static AtImage *
store(const AtImageShape *shape, const AtJsonSlice *cells)
{
	Size size = VARHDRSZ;
	AtImage *image;
	char *at;

	for (int i = 0; i < shape->ncolumns; i++)
		size += 1 + (cells[i].data && !is_opaque(cells[i]) ? sizeof(int) + cells[i].len : 0);
	image = palloc(size);
	SET_VARSIZE(image, size);
	at = VARDATA(image);
	for (int i = 0; i < shape->ncolumns; i++)
	{
		*at++ = cells[i].data == NULL ? UNKNOWN : is_opaque(cells[i]) ? OPAQUE : KNOWN;
		if (cells[i].data == NULL || is_opaque(cells[i]))
			continue;
		memcpy(at, &cells[i].len, sizeof(int));
		memcpy(at + sizeof(int), cells[i].data, cells[i].len);
		at += sizeof(int) + cells[i].len;
	}
	return image;
}

void
at_image_cells(const AtImageShape *shape, const AtImage *image, AtJsonSlice *cells)
{
	const char *at = VARDATA_ANY(image);

	for (int i = 0; i < shape->ncolumns; i++)
	{
		char state = *at++;

		cells[i] = state == OPAQUE ? slice_of(opaque) : (AtJsonSlice){0};
		if (state != KNOWN)
			continue;
		memcpy(&cells[i].len, at, sizeof(int));
		cells[i].data = at + sizeof(int);
		at += sizeof(int) + cells[i].len;
	}
}

/* The cells in newly allocated memory. */
static AtJsonSlice *
get_cells(const AtImageShape *shape, const AtImage *image)
{
	AtJsonSlice *cells = palloc(sizeof(AtJsonSlice) * Max(shape->ncolumns, 1));

	at_image_cells(shape, image, cells);
	return cells;
}

AtImage *
at_image_forget(const AtImageShape *shape, const AtImage *image, int column)
{
	AtJsonSlice *cells = get_cells(shape, image);

	cells[column] = (AtJsonSlice){0};
	return store(shape, cells);
}

AtImage *
at_image_merge(const AtImageShape *shape, const AtImage *older, const AtImage *newer)
{
	AtJsonSlice *cells = get_cells(shape, older);
	AtJsonSlice *over = get_cells(shape, newer);
	AtImage *merged;

	for (int i = 0; i < shape->ncolumns; i++)
		if (over[i].data != NULL)
			cells[i] = over[i];
	merged = store(shape, cells);
	pfree(cells);
	pfree(over);
	return merged;
}

bool
at_image_differs(const AtImageColumn *column, AtJsonSlice a, AtJsonSlice b)
{
	if (!column->compared || a.data == NULL || b.data == NULL)
		return false;
	if (is_opaque(a) || is_opaque(b))
		return is_null(a) != is_null(b);
	return !same(a, b);
}

bool
at_image_unchecked(const AtImageShape *shape, const AtImage *a, const AtImage *b)
{
	AtJsonSlice *left = get_cells(shape, a);
	AtJsonSlice *right = get_cells(shape, b);
	bool unchecked = false;

	for (int i = 0; i < shape->ncolumns && !unchecked; i++)
		unchecked = shape->columns[i].compared && !shape->columns[i].presence && left[i].data &&
					right[i].data && (is_opaque(left[i]) || is_opaque(right[i])) &&
					!is_null(left[i]) && !is_null(right[i]);
	pfree(left);
	pfree(right);
	return unchecked;
}

bool
at_image_agrees(const AtImageShape *shape, const AtImage *a, const AtImage *b)
{
	AtJsonSlice *left = get_cells(shape, a);
	AtJsonSlice *right = get_cells(shape, b);
	bool agrees = true;

	for (int i = 0; i < shape->ncolumns && agrees; i++)
		agrees = !at_image_differs(&shape->columns[i], left[i], right[i]);
	pfree(left);
	pfree(right);
	return agrees;
}

AtImage *
at_image_compared(const AtImageShape *shape, const AtImage *image)
{
	AtJsonSlice *cells = get_cells(shape, image);

	for (int i = 0; i < shape->ncolumns; i++)
		if (!shape->columns[i].compared)
			cells[i] = (AtJsonSlice){0};
	return store(shape, cells);
}

char *
at_image_show(const AtImageShape *shape, const AtImage *image)
{
	AtJsonSlice *cells = get_cells(shape, image);
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < shape->ncolumns && out.len <= SHOWN; i++)
	{
		if (cells[i].data == NULL)
			continue;
		appendStringInfoString(&out, out.len == 0 ? "{" : ",");
		at_json_quote(shape->columns[i].name, strlen(shape->columns[i].name), &out);
		appendStringInfo(&out, ":%.*s", cells[i].len, cells[i].data);
	}
	appendStringInfoString(&out, out.len == 0 ? "{}" : "}");
	if (out.len > SHOWN)
	{
		out.len = pg_mbcliplen(out.data, out.len, SHOWN);
		out.data[out.len] = '\0';
		appendStringInfoString(&out, "...");
	}
	return out.data;
}
