/* Every recorded verdict of the program that defined these ranges. */
#include "proto/tsaddr/tsaddr.h"
#include "testlib/vectors.h"

/*
 * A text like "::ffff:100.64.0.1" is unmapped where it is read (base/netip): the reference tells the mapped form from
 * IPv4 in a few rows, which are counted and not compared.
 */
static bool is_mapped(const char *s)
{
	return strncmp(s, "::ffff:", 7) == 0;
}

static struct ipaddr ip(const char *s)
{
	struct ipaddr a;

	CHECK_INT(ipaddr_parse(s, strlen(s), &a), ==, 0);
	return a;
}

static struct ipprefix prefix(const char *s)
{
	struct ipprefix p;

	CHECK_INT(ipprefix_parse(s, strlen(s), &p), ==, 0);
	return p;
}

static void check_ip(struct ipaddr a, const char *want)
{
	char text[IPADDR_TEXT_MAX];

	CHECK_STR(ipaddr_format(a, text), want);
}

static void check_prefix(struct ipprefix p, const char *want)
{
	char text[IPPREFIX_TEXT_MAX];

	CHECK_STR(ipprefix_format(p, text), want);
}

static void constant(const json_t *c)
{
	static const struct {
		const char *name;
		const struct ipprefix *p;
		const struct ipaddr *a;
	} all[] = {
		{ "cgnat_range", &tsaddr_cgnat, NULL },
		{ "chromeos_vm_range", &tsaddr_chromeos_vm, NULL },
		{ "ula_range", &tsaddr_ula, NULL },
		{ "via_range", &tsaddr_via, NULL },
		{ "four_to_six_range", &tsaddr_four_to_six, NULL },
		{ "four_to_six_placeholder", NULL, &tsaddr_four_to_six.ip },
		{ "ephemeral6_range", &tsaddr_ephemeral6, NULL },
		{ "service_ip", NULL, &tsaddr_service },
		{ "service_ipv6", NULL, &tsaddr_service6 },
		{ "derp_magic_ip", NULL, &tsaddr_derp_magic },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i].name, vec_str(c, "name"))) {
			if (all[i].p)
				check_prefix(*all[i].p, vec_str(c, "value"));
			else
				check_ip(*all[i].a, vec_str(c, "value"));
			return;
		}
	check_fail(__FILE__, __LINE__, "no constant %s", vec_str(c, "name"));
}

static void is_tailscale_ip(const json_t *c)
{
	const char *s = vec_str(c, "ip");

	CHECK_INT(tsaddr_is_tailscale(ip(s)), ==, vec_bool(c, "result"));
	if (!is_mapped(s))
		CHECK_INT(tsaddr_is_tailscale4(ip(s)), ==, vec_bool(c, "result_ipv4_only"));
}

static void four_to_six(const json_t *c)
{
	struct ipaddr a;

	CHECK_INT(tsaddr_4to6(ip(vec_str(c, "in")), &a) == 0, ==, vec_bool(c, "accept"));
	if (vec_bool(c, "accept"))
		check_ip(a, vec_str(c, "out"));
}

static void six_to_four(const json_t *c)
{
	struct ipaddr a;

	CHECK_INT(tsaddr_6to4(ip(vec_str(c, "in")), &a) == 0, ==, vec_bool(c, "accept"));
	if (vec_bool(c, "accept"))
		check_ip(a, vec_str(c, "out"));
}

static void map_via(const json_t *c)
{
	const char *s = vec_str(c, "ipv4");
	struct ipprefix via, in;

	if (is_mapped(s)) {
		if (ipprefix_parse(s, strlen(s), &in) == 0)
			CHECK_TRUE(in.ip.family == 4 || tsaddr_map_via(1, in, &via) < 0);
		return;
	}
	CHECK_INT(tsaddr_map_via((uint32_t)vec_int(c, "site"), prefix(s), &via) == 0, ==,
		vec_bool(c, "accept"));
	if (!vec_bool(c, "accept"))
		return;
	check_prefix(via, vec_str(c, "via"));
	CHECK_INT(tsaddr_is_via_prefix(via), ==, vec_bool(c, "is_via_prefix"));
}

static void unmap_via(const json_t *c)
{
	if (!is_mapped(vec_str(c, "in")))
		check_ip(tsaddr_unmap_via(ip(vec_str(c, "in"))), vec_str(c, "out"));
}

static void is_via_prefix(const json_t *c)
{
	CHECK_INT(tsaddr_is_via_prefix(prefix(vec_str(c, "in"))), ==, vec_bool(c, "result"));
}

/* The recording is of a resolver: A of such a name is an empty answer, other types are not its business. */
static void dns_4via6(const json_t *c)
{
	const char *name = vec_str(c, "name"), *type = vec_str(c, "type");
	const json_t *answers = json_object_get(c, "answers");
	bool v6 = !strcmp(type, "AAAA") || !strcmp(type, "ALL");
	struct ipaddr got;
	bool is = tsaddr_via_of_name(view_of(name, strlen(name)), &got) == 0;

	CHECK_INT(is && (v6 || !strcmp(type, "A")), ==, vec_bool(c, "handled"));
	CHECK_INT(json_array_size(answers), ==, is && v6);
	if (is && v6)
		check_ip(got, json_string_value(json_array_get(answers, 0)));
}

static void every_recorded_verdict(void **state)
{
	static const struct {
		const char *name;
		void (*check)(const json_t *c);
	} sections[] = {
		{ "constant", constant },
		{ "is_tailscale_ip", is_tailscale_ip },
		{ "four_to_six", four_to_six },
		{ "six_to_four", six_to_four },
		{ "map_via", map_via },
		{ "unmap_via", unmap_via },
		{ "is_via_prefix", is_via_prefix },
		{ "dns_4via6", dns_4via6 },
	};
	json_t *file = vectors_load("tsaddr.json"), *c;
	size_t i;
	(void)state;

	for (size_t s = 0; s < ARRAY_LEN(sections); s++) {
		json_t *section = vectors_section(file, sections[s].name);

		json_array_foreach(section, i, c)
		{
			CHECK_ROW("%s %zu", sections[s].name, i);
			sections[s].check(c);
		}
		vectors_count("tsaddr.json", sections[s].name, i);
	}
	json_decref(file);
}

/* As the original chooses them. */
static void peerapi_ports(void **state)
{
	static const struct {
		const char *addr;
		uint16_t port[TSADDR_PEERAPI_TRIES];
	} rows[] = {
		{ "100.64.0.1", { 58436, 36467, 45098, 55837, 52376 } },
		{ "100.100.1.2", { 60035, 32948, 48877, 54490, 37863 } },
		{ "100.101.102.103", { 59395, 54874, 48237, 64336, 37223 } },
		{ "fd7a:115c:a1e0::1", { 59780, 33715, 48618, 55261, 49496 } },
	};
	struct ipaddr a;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].addr);
		CHECK_INT(ipaddr_parse(rows[i].addr, strlen(rows[i].addr), &a), ==, 0);
		for (unsigned t = 0; t < TSADDR_PEERAPI_TRIES; t++)
			CHECK_INT(tsaddr_peerapi_port(a, t), ==, rows[i].port[t]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_recorded_verdict),
		cmocka_unit_test(peerapi_ports) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
