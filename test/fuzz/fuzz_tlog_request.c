/*-------------------------------------------------------------------------
 * fuzz_tlog_request.c
 *		Requests to a witness from any bytes: what is accepted is written
 *		back.
 *-------------------------------------------------------------------------
 */
#include "core/tlog_request.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	AtTlogRequest request;

	if (at_tlog_request_read(&request, text) == AT_OK)
	{
		AtWriter writer = writer_of(size);

		expect(at_tlog_request_write(&writer, &request) == AT_OK);
		expect_written(&writer, text);
	}
	free((char *) text.data);
	return 0;
}
