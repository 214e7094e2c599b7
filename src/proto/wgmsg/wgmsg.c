#include "proto/wgmsg/wgmsg.h"

enum wgmsg_type wgmsg_type(const uint8_t *p, size_t len)
{
	if (len < 4)
		return WGMSG_INVALID;
	switch (load_le32(p)) {
	case WGMSG_INITIATION:
		return len == sizeof(struct wgmsg_initiation) ? WGMSG_INITIATION : WGMSG_INVALID;
	case WGMSG_RESPONSE:
		return len == sizeof(struct wgmsg_response) ? WGMSG_RESPONSE : WGMSG_INVALID;
	case WGMSG_COOKIE_REPLY:
		return len == sizeof(struct wgmsg_cookie_reply) ? WGMSG_COOKIE_REPLY
								: WGMSG_INVALID;
	case WGMSG_TRANSPORT:
		return len >= WGMSG_TRANSPORT_OVERHEAD ? WGMSG_TRANSPORT : WGMSG_INVALID;
	default:
		return WGMSG_INVALID;
	}
}

void wgmsg_set_type(uint8_t type[static 4], enum wgmsg_type t)
{
	store_le32(type, t);
}
