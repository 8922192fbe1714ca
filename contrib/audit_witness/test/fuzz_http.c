/*-------------------------------------------------------------------------
 * fuzz_http.c
 *		Requests and responses from any bytes: what is read lies within them,
 *		and is read again from what is written of it.
 *-------------------------------------------------------------------------
 */
#include "http.h"
#include "target.h"

static bool
is_within(AtText part, AtText whole)
{
	return part.data >= whole.data && part.data + part.len <= whole.data + whole.len;
}

static void
check_request(AtText text)
{
	AtHttpRequest request;
	AtHttpRequest again;
	AtWriter writer = writer_of(2 * text.len + 200);
	int status = at_http_read_request(&request, text);

	expect(status == AT_HTTP_MORE || status == AT_HTTP_OK || (status >= 400 && status < 500));
	if (status == AT_HTTP_OK)
	{
		expect(is_within(request.method, text) && is_within(request.path, text) &&
			   is_within(request.body, text) && request.body.len <= AT_HTTP_BODY_MAX);
		at_http_write_request(&writer, &request);
		expect(at_http_read_request(&again, (AtText){writer.data, writer.len}) == AT_HTTP_OK);
		expect(at_text_equal(again.method, request.method) &&
			   at_text_equal(again.path, request.path) && at_text_equal(again.body, request.body));
	}
	free(writer.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	AtHttpResponse response;

	check_request(text);
	for (int is_end = 0; is_end < 2; is_end++)
	{
		int status = at_http_read_response(&response, text, is_end);

		expect(status == AT_HTTP_MORE || status == AT_HTTP_OK || status == AT_HTTP_BAD_REQUEST);
		expect(!is_end || status != AT_HTTP_MORE);
		if (status == AT_HTTP_OK)
			expect(is_within(response.body, text) && response.status >= 100 &&
				   response.status <= 999);
	}
	free((char *) text.data);
	return 0;
}
