/*-------------------------------------------------------------------------
 * output.h
 *		Text of any length, handed on in pieces as it is made.
 *
 * Who wants it takes the pieces: writes them to a file, hashes them, or
 * compares them with what there is already. So no text need fit into
 * memory. Once a piece is not taken nothing more is handed on, and
 * at_output_end() says so.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OUTPUT_H
#define AT_OUTPUT_H

#include "core/text.h"

#define AT_OUTPUT_BUFFER 8192

/* Takes the next piece, which is gone after the call; false if it will not. */
typedef bool (*AtOutputTake)(void *taker, AtText piece);

typedef struct AtOutput
{
	AtOutputTake take;
	void *taker;
	bool failed;
	size_t len; /* of what waits in the buffer */
	char buffer[AT_OUTPUT_BUFFER];
} AtOutput;

extern void at_output_start(AtOutput *output, AtOutputTake take, void *taker);

extern void at_out(AtOutput *output, AtText text);
extern void at_out_string(AtOutput *output, const char *string);
extern void at_out_decimal(AtOutput *output, uint64_t number);
extern void at_out_signed(AtOutput *output, int64_t number);

/* In lower-case digits. */
extern void at_out_hex(AtOutput *output, const void *data, size_t len);
extern void at_out_base64(AtOutput *output, const void *data, size_t len);

/* Hand on what waits: AT_OK, or AT_ERR_OUTPUT if a piece was not taken. */
extern AtError at_output_end(AtOutput *output);

#endif
