/*-------------------------------------------------------------------------
 * image.h
 *		A row in the form in which trail and table are compared: one cell a
 *		column of the table as it is now, in their order.
 *
 * A cell is the JSON text that capture writes, or, where the value's own
 * text is longer than AT_IMAGE_LONG bytes, its length and digest. So a value
 * that was recorded shortened compares equal to the same value in full. A
 * cell may be unknown: of an update only what changed was recorded, and a
 * column may be younger than the row. And it may be opaque: there was a value,
 * which was recorded in a form that cannot be compared with what is there now.
 *-------------------------------------------------------------------------
 */
#ifndef AT_IMAGE_H
#define AT_IMAGE_H

#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "base/json_scan.h"
#include "capture/policy.h"

#define AT_IMAGE_LONG 1024

/* A column of the table as it is now. */
typedef struct AtImageColumn
{
	char *name;
	char *type;    /* as in audit.target.columns */
	bool verbatim; /* json: the JSON text is the value's own text */
	bool compared; /* not ignored, and known in every version if that is needed */
	AtTreatment treatment;
	bool presence; /* all of its values are opaque: it is compared which are null */
} AtImageColumn;

/* What a name in recorded values means: a column of a version of the table. */
typedef struct AtImageName
{
	char *name;
	int column;     /* of the shape; -1: it is not there any more */
	bool same_type; /* as now; values of another type cannot be compared */
	AtTreatment treatment;
} AtImageName;

typedef struct AtImageVersion
{
	int32 target_id;
	int nnames;
	AtImageName *names;
} AtImageVersion;

typedef struct AtImageShape
{
	int ncolumns;
	AtImageColumn *columns;
	AtImageVersion live; /* the table as it is now */
	char *hash_start;    /* how hashes begin that the present key made; NULL: none are compared */
} AtImageShape;

/* Cells as they are stored and sorted: a varlena. */
typedef struct varlena AtImage;

/* The shape of a table; in the current memory context. */
extern AtImageShape *at_image_shape(Relation rel, const AtPolicy *policy);

/*
 * A version by the columns of its row of audit.target, a JSON array of
 * {"name", "type", "recorded"}. It is older than `next`, or the newest if that is NULL;
 * `renamed` is a JSON object of those columns that have another name in
 * `next`, or NULL.
 */
extern AtImageVersion *at_image_version(const AtImageShape *shape, const AtImageVersion *next,
										int32 target_id, const char *columns, const char *renamed);

/* Is the key, a JSON array of names, made of the same columns as that of a newer version, and of
 * the same types? */
extern bool at_image_same_key(const AtImageVersion *version, const char *key_columns,
							  const AtImageVersion *newer, const char *newer_keys);

/*
 * An image of recorded values, a JSON object; `extra` of the event tells
 * which were shortened, and may be NULL.
 */
extern AtImage *at_image_read(const AtImageShape *shape, const AtImageVersion *version,
							  const struct varlena *values, const struct varlena *extra);

/* The same image, with a cell that is not known any more. */
extern AtImage *at_image_forget(const AtImageShape *shape, const AtImage *image, int column);

/* The cells; data is NULL where unknown. Slices point into the image. */
extern void at_image_cells(const AtImageShape *shape, const AtImage *image, AtJsonSlice *cells);

/* Do two cells of a column differ, as far as both are known and can be compared? */
extern bool at_image_differs(const AtImageColumn *column, AtJsonSlice a, AtJsonSlice b);

/* Is there a value in both images, of any but presence columns, that cannot be compared? */
extern bool at_image_unchecked(const AtImageShape *shape, const AtImage *a, const AtImage *b);

/* The older image with the cells of the newer one put over it. */
extern AtImage *at_image_merge(const AtImageShape *shape, const AtImage *older,
							   const AtImage *newer);

/* Do the compared cells that are known in both agree? */
extern bool at_image_agrees(const AtImageShape *shape, const AtImage *a, const AtImage *b);

/* The image without cells that are not compared. */
extern AtImage *at_image_compared(const AtImageShape *shape, const AtImage *image);

/* For people: a JSON object, cut where it is long. */
extern char *at_image_show(const AtImageShape *shape, const AtImage *image);

#endif
