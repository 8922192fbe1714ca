/*-------------------------------------------------------------------------
 * target_list.c
 *		The versions of tables that an archive has events of.
 *-------------------------------------------------------------------------
 */
#include "core/field.h"
#include "core/target_list.h"

#define MAGIC      "ATY1"
#define MAGIC_LEN  4
#define HEADER_LEN (MAGIC_LEN + AT_LOG_ID_LEN)

AtError
at_target_list_read(AtTargetList *list, AtText bytes)
{
	AtHash checksum;
	size_t len;

	if (bytes.len < HEADER_LEN + AT_HASH_LEN || memcmp(bytes.data, MAGIC, MAGIC_LEN) != 0)
		return AT_ERR_TARGET_LIST;
	len = bytes.len - AT_HASH_LEN;
	if (!at_hash(bytes.data, len, &checksum))
		return AT_ERR_LIBCRYPTO;
	if (memcmp(bytes.data + len, &checksum, AT_HASH_LEN) != 0)
		return AT_ERR_CHECKSUM;
	list->log_id = (const uint8_t *) bytes.data + MAGIC_LEN;
	list->rest = (AtText){bytes.data + HEADER_LEN, len - HEADER_LEN};
	return at_field_get_u32(&list->rest, &list->left) ? AT_OK : AT_ERR_TARGET_LIST;
}

AtError
at_target_list_next(AtTargetList *list, AtColdTarget *target, int64_t *defined_at, bool *found)
{
	uint32_t target_id;
	uint32_t half[2];

	*found = list->left > 0;
	if (!*found)
		return list->rest.len == 0 ? AT_OK : AT_ERR_TARGET_LIST;
	list->left--;
	if (!at_field_get_u32(&list->rest, &target_id) || !at_field_get_u32(&list->rest, &half[0]) ||
		!at_field_get_u32(&list->rest, &half[1]) ||
		!at_field_get_span(&list->rest, &target->schema) ||
		!at_field_get_span(&list->rest, &target->table) ||
		!at_field_get_span(&list->rest, &target->resource_type) ||
		!at_field_get_span(&list->rest, &target->context))
		return AT_ERR_TARGET_LIST;
	target->target_id = (int32_t) target_id;
	*defined_at = (int64_t) ((uint64_t) half[0] << 32 | half[1]);
	return AT_OK;
}

void
at_target_list_write_head(AtWriter *writer, const uint8_t *log_id, uint32_t count)
{
	at_write_string(writer, MAGIC);
	at_write(writer, (AtText){(const char *) log_id, AT_LOG_ID_LEN});
	at_field_put_u32(writer, count);
}

void
at_target_list_write(AtWriter *writer, const AtColdTarget *target, int64_t defined_at)
{
	at_field_put_u32(writer, (uint32_t) target->target_id);
	at_field_put_u32(writer, (uint32_t) ((uint64_t) defined_at >> 32));
	at_field_put_u32(writer, (uint32_t) (uint64_t) defined_at);
	at_field_put_span(writer, target->schema);
	at_field_put_span(writer, target->table);
	at_field_put_span(writer, target->resource_type);
	at_field_put_span(writer, target->context);
}
