/* Hostinfo, users, the relay map, DNS, packet filter. */
#include "proto/tailcfg/tailcfg.h"

static const struct json_field service_fields[] = {
	JSON_F(struct tc_service, proto, "Proto", json_str, 0),
	JSON_F(struct tc_service, port, "Port", json_u16, 0),
	JSON_F(struct tc_service, description, "Description", json_str, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_service_type, struct tc_service, service_fields);
static JSON_LIST_TYPE(service_list, tc_service_type);

#define F(member, key, type) JSON_F(struct tc_netinfo, member, key, type, JSON_OMIT)
static const struct json_field netinfo_fields[] = {
	F(mapping_varies, "MappingVariesByDestIP", json_opt_bool),
	F(hairpin, "HairPinning", json_opt_bool),
	F(working_ipv6, "WorkingIPv6", json_opt_bool),
	F(os_has_ipv6, "OSHasIPv6", json_opt_bool),
	F(working_udp, "WorkingUDP", json_opt_bool),
	F(working_icmpv4, "WorkingICMPv4", json_opt_bool),
	F(have_portmap, "HavePortMap", json_bool),
	F(upnp, "UPnP", json_opt_bool),
	F(pmp, "PMP", json_opt_bool),
	F(pcp, "PCP", json_opt_bool),
	F(preferred_derp, "PreferredDERP", json_u31),
	F(link_type, "LinkType", json_str),
	JSON_F_MAX(struct tc_netinfo, derp_latency, "DERPLatency", json_f64_map, JSON_OMIT, 1024),
	F(firewall_mode, "FirewallMode", json_str),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(tc_netinfo_type, struct tc_netinfo, netinfo_fields);
static JSON_POINTER_TYPE(netinfo_ptr, tc_netinfo_type);

#define F(member, key, type) JSON_F(struct tc_location, member, key, type, JSON_OMIT)
static const struct json_field location_fields[] = {
	F(country, "Country", json_str),
	F(country_code, "CountryCode", json_str),
	F(city, "City", json_str),
	F(city_code, "CityCode", json_str),
	F(latitude, "Latitude", json_f64),
	F(longitude, "Longitude", json_f64),
	F(priority, "Priority", json_u31),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(location_type, struct tc_location, location_fields);
JSON_POINTER_TYPE(tc_location_ptr_type, location_type);

#define F(member, key, type) JSON_F(struct tc_tpm, member, key, type, JSON_OMIT)
static const struct json_field tpm_fields[] = {
	F(manufacturer, "Manufacturer", json_str),
	F(vendor, "Vendor", json_str),
	F(model, "Model", json_int),
	F(firmware_version, "FirmwareVersion", json_u64),
	F(spec_revision, "SpecRevision", json_int),
	F(family, "FamilyIndicator", json_str),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(tpm_type, struct tc_tpm, tpm_fields);
static JSON_POINTER_TYPE(tpm_ptr, tpm_type);

#define F(member, key, type) JSON_F(struct tc_hostinfo, member, key, type, JSON_OMIT)
#define L(member, key, type, n) JSON_F_MAX(struct tc_hostinfo, member, key, type, JSON_OMIT, n)
static const struct json_field hostinfo_fields[] = {
	F(ipn_version, "IPNVersion", json_str),
	F(frontend_log_id, "FrontendLogID", json_str),
	F(backend_log_id, "BackendLogID", json_str),
	F(os, "OS", json_str),
	F(os_version, "OSVersion", json_str),
	F(container, "Container", json_opt_bool),
	F(env, "Env", json_str),
	F(distro, "Distro", json_str),
	F(distro_version, "DistroVersion", json_str),
	F(distro_codename, "DistroCodeName", json_str),
	F(app, "App", json_str),
	F(desktop, "Desktop", json_opt_bool),
	F(package, "Package", json_str),
	F(device_model, "DeviceModel", json_str),
	F(push_device_token, "PushDeviceToken", json_str),
	L(hostname, "Hostname", json_str, TC_HOSTINFO_TEXT_MAX),
	F(shields_up, "ShieldsUp", json_bool),
	F(sharee_node, "ShareeNode", json_bool),
	F(no_logs, "NoLogsNoSupport", json_bool),
	F(remote_config, "RemoteConfig", json_bool),
	F(wire_ingress, "WireIngress", json_bool),
	F(ingress_enabled, "IngressEnabled", json_bool),
	F(allows_update, "AllowsUpdate", json_bool),
	F(machine, "Machine", json_str),
	F(go_arch, "GoArch", json_str),
	F(go_arch_var, "GoArchVar", json_str),
	F(go_version, "GoVersion", json_str),
	L(routable_ips, "RoutableIPs", json_prefix_list, TC_HOSTINFO_ROUTES_MAX),
	L(request_tags, "RequestTags", json_str_list, TC_HOSTINFO_TAGS_MAX),
	L(wol_macs, "WoLMACs", json_str_list, 64),
	L(services, "Services", service_list, 4096),
	F(netinfo, "NetInfo", netinfo_ptr),
	L(ssh_host_keys, "sshHostKeys", json_str_list, 32),
	F(cloud, "Cloud", json_str),
	F(userspace, "Userspace", json_opt_bool),
	F(userspace_router, "UserspaceRouter", json_opt_bool),
	F(app_connector, "AppConnector", json_opt_bool),
	F(services_hash, "ServicesHash", json_str),
	F(peer_relay, "PeerRelay", json_bool),
	F(exit_node_id, "ExitNodeID", json_str),
	F(location, "Location", tc_location_ptr_type),
	F(tpm, "TPM", tpm_ptr),
	F(state_encrypted, "StateEncrypted", json_opt_bool),
	JSON_END,
};
#undef F
#undef L
JSON_OBJECT_TYPE(tc_hostinfo_type, struct tc_hostinfo, hostinfo_fields);

static const struct json_field user_fields[] = {
	JSON_F(struct tc_user, id, "ID", json_int, 0),
	JSON_F(struct tc_user, display_name, "DisplayName", json_str, 0),
	JSON_F(struct tc_user, picture, "ProfilePicURL", json_str, JSON_OMIT),
	JSON_F(struct tc_user, created, "Created", json_time, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_user_type, struct tc_user, user_fields);

static const struct json_field login_fields[] = {
	JSON_F(struct tc_user, id, "ID", json_int, 0),
	JSON_F(struct tc_user, provider, "Provider", json_str, 0),
	JSON_F(struct tc_user, login_name, "LoginName", json_str, 0),
	JSON_F(struct tc_user, display_name, "DisplayName", json_str, 0),
	JSON_F(struct tc_user, picture, "ProfilePicURL", json_str, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_login_type, struct tc_user, login_fields);

static const struct json_field profile_fields[] = {
	JSON_F(struct tc_user, id, "ID", json_int, 0),
	JSON_F(struct tc_user, login_name, "LoginName", json_str, 0),
	JSON_F(struct tc_user, display_name, "DisplayName", json_str, 0),
	JSON_F(struct tc_user, picture, "ProfilePicURL", json_str, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_user_profile_type, struct tc_user, profile_fields);

#define F(member, key, type) JSON_F(struct tc_derp_node, member, key, type, JSON_OMIT)
static const struct json_field derp_node_fields[] = {
	JSON_F(struct tc_derp_node, name, "Name", json_str, 0),
	JSON_F(struct tc_derp_node, region_id, "RegionID", json_int, 0),
	JSON_F(struct tc_derp_node, hostname, "HostName", json_str, 0),
	F(cert_name, "CertName", json_str),
	F(ipv4, "IPv4", json_str),
	F(ipv6, "IPv6", json_str),
	F(stun_port, "STUNPort", json_int),
	F(stun_only, "STUNOnly", json_bool),
	F(derp_port, "DERPPort", json_int),
	F(insecure_for_tests, "InsecureForTests", json_bool),
	F(stun_test_ip, "STUNTestIP", json_str),
	F(can_port80, "CanPort80", json_bool),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(tc_derp_node_type, struct tc_derp_node, derp_node_fields);
static JSON_LIST_TYPE(derp_node_list, tc_derp_node_type);

static const struct json_field derp_region_fields[] = {
	JSON_F(struct tc_derp_region, id, "RegionID", json_int, 0),
	JSON_F(struct tc_derp_region, code, "RegionCode", json_str, 0),
	JSON_F(struct tc_derp_region, name, "RegionName", json_str, 0),
	JSON_F(struct tc_derp_region, avoid, "Avoid", json_bool, JSON_OMIT),
	JSON_F(struct tc_derp_region, no_measure_no_home, "NoMeasureNoHome", json_bool, JSON_OMIT),
	JSON_F_MAX(struct tc_derp_region, nodes, "Nodes", derp_node_list, 0, 64),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_derp_region_type, struct tc_derp_region, derp_region_fields);
static JSON_MAP_TYPE(derp_region_map, tc_derp_region_type);

static const struct json_field home_params_fields[] = {
	JSON_F_MAX(struct tc_derp_home_params, region_score, "RegionScore", json_f64_map,
		JSON_OMIT | JSON_EMPTY, 1024),
	JSON_END,
};
static JSON_OBJECT_TYPE(home_params_type, struct tc_derp_home_params, home_params_fields);
static JSON_POINTER_TYPE(home_params_ptr, home_params_type);

static const struct json_field derp_map_fields[] = {
	JSON_F(struct tc_derp_map, home_params, "HomeParams", home_params_ptr, JSON_OMIT),
	JSON_F_MAX(struct tc_derp_map, regions, "Regions", derp_region_map, 0, TC_REGIONS_MAX),
	JSON_F(struct tc_derp_map, omit_default_regions, "omitDefaultRegions", json_bool,
		JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_derp_map_type, struct tc_derp_map, derp_map_fields);

static const struct json_field resolver_fields[] = {
	JSON_F(struct tc_resolver, addr, "Addr", json_str, JSON_OMIT),
	JSON_F(struct tc_resolver, bootstrap, "BootstrapResolution", json_ip_list, JSON_OMIT),
	JSON_F(struct tc_resolver, use_with_exit_node, "UseWithExitNode", json_bool, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_resolver_type, struct tc_resolver, resolver_fields);
static JSON_LIST_TYPE(resolver_list, tc_resolver_type);
static JSON_MAP_TYPE(resolver_map, resolver_list);

static const struct json_field dns_record_fields[] = {
	JSON_F(struct tc_dns_record, name, "Name", json_str, 0),
	JSON_F(struct tc_dns_record, type, "Type", json_str, JSON_OMIT),
	JSON_F(struct tc_dns_record, value, "Value", json_str, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_dns_record_type, struct tc_dns_record, dns_record_fields);
static JSON_LIST_TYPE(dns_record_list, tc_dns_record_type);

#define F(member, key, type) JSON_F(struct tc_dns_config, member, key, type, JSON_OMIT)
static const struct json_field dns_config_fields[] = {
	F(resolvers, "Resolvers", resolver_list),
	F(routes, "Routes", resolver_map),
	F(fallback_resolvers, "FallbackResolvers", resolver_list),
	F(domains, "Domains", json_str_list),
	F(proxied, "Proxied", json_bool),
	F(cert_domains, "CertDomains", json_str_list),
	F(extra_records, "ExtraRecords", dns_record_list),
	F(exit_node_filtered, "ExitNodeFilteredSet", json_str_list),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(tc_dns_config_type, struct tc_dns_config, dns_config_fields);

static const struct json_field port_range_fields[] = {
	JSON_F(struct tc_port_range, first, "First", json_int, 0),
	JSON_F(struct tc_port_range, last, "Last", json_int, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(port_range_type, struct tc_port_range, port_range_fields);

static const struct json_field net_port_range_fields[] = {
	JSON_F(struct tc_net_port_range, ip, "IP", json_str, 0),
	JSON_F(struct tc_net_port_range, bits, "Bits", json_raw, JSON_OMIT),
	JSON_F(struct tc_net_port_range, ports, "Ports", port_range_type, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(net_port_range_type, struct tc_net_port_range, net_port_range_fields);
static JSON_LIST_TYPE(net_port_range_list, net_port_range_type);

static const struct json_field cap_grant_fields[] = {
	JSON_F(struct tc_cap_grant, dsts, "Dsts", json_prefix_list, JSON_OMIT),
	JSON_F(struct tc_cap_grant, caps, "Caps", json_str_list, JSON_OMIT),
	JSON_F(struct tc_cap_grant, cap_map, "CapMap", json_raw_list_map, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(cap_grant_type, struct tc_cap_grant, cap_grant_fields);
static JSON_LIST_TYPE(cap_grant_list, cap_grant_type);

static const struct json_field filter_rule_fields[] = {
	JSON_F_MAX(struct tc_filter_rule, src_ips, "SrcIPs", json_str_list, 0, TC_RULES_MAX),
	JSON_F(struct tc_filter_rule, src_bits, "SrcBits", json_raw, JSON_OMIT),
	JSON_F_MAX(struct tc_filter_rule, dst_ports, "DstPorts", net_port_range_list, JSON_OMIT,
		TC_RULES_MAX),
	JSON_F(struct tc_filter_rule, ip_proto, "IPProto", json_int_list, JSON_OMIT),
	JSON_F_MAX(struct tc_filter_rule, cap_grant, "CapGrant", cap_grant_list, JSON_OMIT,
		TC_RULES_MAX),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_filter_rule_type, struct tc_filter_rule, filter_rule_fields);

static const struct json_field server_keys_fields[] = {
	JSON_F(struct tc_server_keys, legacy_public_key, "legacyPublicKey", json_key_machine, 0),
	JSON_F(struct tc_server_keys, public_key, "publicKey", json_key_machine, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(tc_server_keys_type, struct tc_server_keys, server_keys_fields);
