#include "proto/resolvconf/resolvconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Words have no blanks; a file of ours, made of whatever a file of others holds, is ours and says the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct resolvconf c, again;
	struct os_dns_config ours = { 0 };
	struct buf out;

	resolvconf_parse(view_of(data, len), &c);
	(void)resolvconf_owner(view_of(data, len));
	(void)resolvconf_is_stub(&c);
	for (size_t i = 0; i < c.n_servers; i++) {
		struct ipaddr a = resolvconf_server(&c, i);

		if (ipaddr_is_set(a))
			ours.server[ours.n_servers++] = a;
	}
	for (size_t i = 0; i < c.n_search; i++)
		CHECK(c.search[i].len && !memchr(c.search[i].p, '\n', c.search[i].len));
	buf_init(&out, RESOLVCONF_TEXT_MAX);
	CHECK(resolvconf_format(&ours, &c, "/etc/before", &out) == 0);
	CHECK(resolvconf_owner(buf_view(&out)) == RESOLVCONF_WARREN);
	resolvconf_parse(buf_view(&out), &again);
	CHECK(again.n_servers == ours.n_servers && again.n_options <= c.n_options &&
		!again.n_search);
	for (size_t i = 0; i < ours.n_servers; i++)
		CHECK(ipaddr_eq(resolvconf_server(&again, i), ours.server[i]));
	buf_fini(&out);
	return 0;
}
