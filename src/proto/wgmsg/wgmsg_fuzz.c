/* A message that is accepted has room for every field of its layout, and the type written again is the type read. */
#include "proto/wgmsg/wgmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t least[] = { [WGMSG_INITIATION] = sizeof(struct wgmsg_initiation),
		[WGMSG_RESPONSE] = sizeof(struct wgmsg_response),
		[WGMSG_COOKIE_REPLY] = sizeof(struct wgmsg_cookie_reply),
		[WGMSG_TRANSPORT] = sizeof(struct wgmsg_transport) + WGMSG_TAG_LEN };
	enum wgmsg_type t = wgmsg_type(data, len);
	uint8_t again[4];

	if (t == WGMSG_INVALID)
		return 0;
	CHECK(len >= least[t]);
	wgmsg_set_type(again, t);
	CHECK(memcmp(again, data, sizeof(again)) == 0);
	return 0;
}
