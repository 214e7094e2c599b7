#include "os/addr/addr.h"

#include <netinet/in.h>
#include <string.h>

socklen_t addr_to_sockaddr(struct ipport a, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (a.ip.family == 4) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(a.port);
		memcpy(&in4->sin_addr, a.ip.b, 4);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(a.port);
	memcpy(&in6->sin6_addr, a.ip.b, 16);
	return sizeof(*in6);
}

struct ipport addr_from_sockaddr(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	struct ipport a = { 0 };

	if (ss->ss_family == AF_INET) {
		a.ip = ipaddr_from4((const uint8_t *)&in4->sin_addr);
		a.port = ntohs(in4->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		a.ip = ipaddr_from16((const uint8_t *)&in6->sin6_addr);
		a.port = ntohs(in6->sin6_port);
	}
	return a;
}
