#include "os/addr/addr.h"

#include "base/text/text.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int take_port(const char *s, uint16_t *ret)
{
	const struct servent *service;
	uint64_t port;

	if (text_u64(s, strlen(s), 65535, &port) == 0) {
		*ret = (uint16_t)port;
		return 0;
	}
	service = *s && (*s < '0' || *s > '9') ? getservbyname(s, "tcp") : NULL;
	if (!service)
		return -ERR_BAD_VALUE;
	*ret = ntohs((uint16_t)service->s_port);
	return 0;
}

static struct ipaddr address_of(const struct addrinfo *a)
{
	if (a->ai_family == AF_INET)
		return ipaddr_from4(
			(const uint8_t *)&((const struct sockaddr_in *)(const void *)a->ai_addr)
				->sin_addr);
	return ipaddr_from16(
		(const uint8_t *)&((const struct sockaddr_in6 *)(const void *)a->ai_addr)
			->sin6_addr);
}

static int look_up(const char *name, struct ipaddr *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct addrinfo hints = { .ai_family = families[i], .ai_socktype = SOCK_STREAM },
				*list;

		if (getaddrinfo(name, NULL, &hints, &list) != 0)
			continue;
		*ret = address_of(list);
		freeaddrinfo(list);
		return 0;
	}
	return -ERR_NO_NAME;
}

int addr_listen_parse(const char *text, struct ipport *ret)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	char name[ADDR_HOST_MAX + 1];
	int rc;

	*ret = (struct ipport){ 0 };
	if (!colon || len > ADDR_HOST_MAX || (!bracketed && memchr(text, ':', len)))
		return -ERR_BAD_FORMAT;
	rc = take_port(colon + 1, &ret->port);
	if (rc < 0 || !len)
		return rc;
	if (bracketed) {
		host++;
		len -= 2;
	}
	if (ipaddr_parse(host, len, &ret->ip) == 0)
		return bracketed && ret->ip.family != 6 ? -ERR_BAD_FORMAT : 0;
	if (bracketed)
		return -ERR_BAD_FORMAT;
	snprintf(name, sizeof(name), "%.*s", (int)len, host);
	return look_up(name, &ret->ip);
}
