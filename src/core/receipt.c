/*-------------------------------------------------------------------------
 * receipt.c
 *		What somebody outside says of a checkpoint: receipts.
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ts.h>

#include "core/note.h"
#include "core/receipt.h"

#define SIGNATURE_START "\xE2\x80\x94 "
#define DER_SEQUENCE    0x30
#define GRANTED_MAX     1 /* granted, or granted with modifications */
#define IMPRINT_MIN     32

/* Signature lines make a note with any text. */
#define ANY_TEXT  "any\n\n"
#define LINES_MAX (AT_NOTE_MAX_SIGNATURES * AT_SIGNATURE_LINE_MAX)

static AtError take_lines(AtText *output, AtText *lines);
static AtError take_stamp(AtText *output, AtText note, AtText *stamp);
static TS_TST_INFO *granted(TS_RESP *response);
static AtError check_stamp(TS_RESP *response, AtText note);
static bool read_time(TS_TST_INFO *info, int64_t *when);
static bool is_of(TS_MSG_IMPRINT *imprint, AtText bytes);
static AtText text_of(AtText note);
static bool has_line(AtText note, AtText line);
static int count_lines(AtText note);

const char *
at_receipt_name(AtReceiptKind kind)
{
	static const char *const name[] = {"cosignature", "timestamp", "other"};

	return name[kind];
}

AtError
at_receipt_next(AtText *output, AtText note, AtReceipt *receipt)
{
	AtText rest = *output;
	AtError error;

	if (at_text_skip(&rest, SIGNATURE_START))
	{
		receipt->kind = AT_RECEIPT_COSIGNATURE;
		return take_lines(output, &receipt->bytes);
	}

	receipt->kind = AT_RECEIPT_TIMESTAMP;
	error = take_stamp(output, note, &receipt->bytes);
	if (error != AT_OK || receipt->bytes.len > 0)
		return error;

	receipt->kind = AT_RECEIPT_OTHER;
	receipt->bytes = *output;
	output->data += output->len;
	output->len = 0;
	return AT_OK;
}

static AtError
take_lines(AtText *output, AtText *lines)
{
	char buffer[sizeof(ANY_TEXT) + LINES_MAX];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtNote note;
	AtText rest = *output;
	AtText line;

	lines->data = rest.data;
	while (at_text_line(&rest, &line) && at_text_skip(&line, SIGNATURE_START))
		*output = rest;
	lines->len = output->data - lines->data;

	at_write_string(&writer, ANY_TEXT);
	at_write(&writer, *lines);
	if (writer.full)
		return AT_ERR_SIGNATURE_COUNT;
	return lines->len == 0 ? AT_ERR_SIGNATURE_LINE
						   : at_note_read(&note, (AtText){writer.data, writer.len});
}

/* No stamp is AT_OK and no bytes. */
static AtError
take_stamp(AtText *output, AtText note, AtText *stamp)
{
	const unsigned char *at = (const unsigned char *) output->data;
	TS_RESP *response = NULL;
	AtError error;

	*stamp = (AtText){output->data, 0};
	if (output->len > 0 && *at == DER_SEQUENCE)
		response = d2i_TS_RESP(NULL, &at, output->len);
	if (response == NULL)
	{
		ERR_clear_error();
		return AT_OK;
	}
	error = check_stamp(response, note);
	TS_RESP_free(response);
	ERR_clear_error();
	stamp->len = (const char *) at - output->data;
	output->data += stamp->len;
	output->len -= stamp->len;
	return error;
}

bool
at_receipt_is_stamp(AtText stamp, AtText bytes, int64_t *when)
{
	const unsigned char *at = (const unsigned char *) stamp.data;
	TS_RESP *response = d2i_TS_RESP(NULL, &at, stamp.len);
	TS_TST_INFO *info = response != NULL ? granted(response) : NULL;
	bool good = info != NULL && at == (const unsigned char *) stamp.data + stamp.len &&
				is_of(TS_TST_INFO_get_msg_imprint(info), bytes) && read_time(info, when);

	TS_RESP_free(response);
	ERR_clear_error();
	return good;
}

/* What was stamped; NULL if nothing was. */
static TS_TST_INFO *
granted(TS_RESP *response)
{
	const ASN1_INTEGER *status = TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(response));
	uint64_t number;

	if (!ASN1_INTEGER_get_uint64(&number, status) || number > GRANTED_MAX)
		return NULL;
	return TS_RESP_get_tst_info(response);
}

static bool
read_time(TS_TST_INFO *info, int64_t *when)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days;
	int seconds;
	bool good = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, TS_TST_INFO_get_time(info));

	if (good)
		*when = (int64_t) days * 86400 + seconds;
	ASN1_TIME_free(epoch);
	return good;
}

static AtError
check_stamp(TS_RESP *response, AtText note)
{
	TS_TST_INFO *info = granted(response);
	TS_MSG_IMPRINT *imprint;

	if (info == NULL)
		return AT_ERR_STAMP_REFUSED;
	imprint = TS_TST_INFO_get_msg_imprint(info);
	return is_of(imprint, note) || is_of(imprint, text_of(note)) ? AT_OK : AT_ERR_STAMP;
}

static bool
is_of(TS_MSG_IMPRINT *imprint, AtText bytes)
{
	const ASN1_OBJECT *algorithm;
	const ASN1_OCTET_STRING *found = TS_MSG_IMPRINT_get_msg(imprint);
	const EVP_MD *digest;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int len;

	X509_ALGOR_get0(&algorithm, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
	digest = EVP_get_digestbyobj(algorithm);
	return digest != NULL && EVP_Digest(bytes.data, bytes.len, hash, &len, digest, NULL) &&
		   len >= IMPRINT_MIN && ASN1_STRING_length(found) == (int) len &&
		   memcmp(ASN1_STRING_get0_data(found), hash, len) == 0;
}

/* What of a note is signed; nothing if it is none. */
static AtText
text_of(AtText note)
{
	AtNote parts;

	return at_note_read(&parts, note) == AT_OK ? parts.text : (AtText){note.data, 0};
}

AtError
at_receipt_cosign(AtWriter *note, AtText lines)
{
	AtText rest = lines;
	AtText line;

	while (at_text_line(&rest, &line))
	{
		AtText whole = {line.data, line.len + 1};

		if (has_line((AtText){note->data, note->len}, whole))
			continue;
		if (count_lines((AtText){note->data, note->len}) == AT_NOTE_MAX_SIGNATURES)
			return AT_ERR_SIGNATURE_COUNT;
		at_write(note, whole);
	}
	return at_writer_error(note);
}

static bool
has_line(AtText note, AtText line)
{
	AtText other;

	line.len--;
	while (at_text_line(&note, &other))
		if (at_text_equal(other, line))
			return true;
	return false;
}

/* Those that begin as a signature does; lines of the text that do so count too. */
static int
count_lines(AtText note)
{
	AtText line;
	int count = 0;

	while (at_text_line(&note, &line))
		count += at_text_skip(&line, SIGNATURE_START);
	return count;
}
