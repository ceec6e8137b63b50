//! Whether values cross a network in the open.

use super::finding::{Finding, Step, quoted};
use super::sight::Sight;

/// Addresses that are not this machine's own, while there is no TLS.
const OPEN: &str = "SELECT l.setting FROM pg_catalog.pg_settings l, pg_catalog.pg_settings s
    WHERE l.name = 'listen_addresses' AND s.name = 'ssl' AND s.setting = 'off' AND EXISTS (
        SELECT FROM pg_catalog.unnest(pg_catalog.string_to_array(l.setting, ',')) AS a (address)
        WHERE pg_catalog.btrim(a.address) NOT IN ('', 'localhost', '::1') AND a.address NOT LIKE '%127.%'
    )";

/// Looks at it.
pub fn look(sight: &mut Sight, findings: &mut Vec<Finding>) {
    for addresses in sight.rows("listen_addresses", OPEN).into_iter().flatten().flatten() {
        let data = quoted(&sight.data());
        findings.push(Finding::warning(
            "transport.open",
            format!("listen_addresses = {addresses}"),
            "the server answers on a network and has no TLS: values and passwords cross it in the open",
            vec![
                Step::shell(format!(
                    "openssl req -new -x509 -days 365 -nodes -subj /CN=$(hostname) -out {data}/server.crt -keyout {data}/server.key"
                )),
                Step::shell(format!("chmod 600 {data}/server.key")),
                Step::shell(format!("chown --reference={data} {data}/server.crt {data}/server.key")),
                Step::sql("ALTER SYSTEM SET ssl = on"),
                Step::reload(),
                Step::hand("Then let hostssl lines alone stand in pg_hba.conf for other machines, and name the certificate to clients (PGSSLROOTCERT)."),
            ],
        ));
    }
}
