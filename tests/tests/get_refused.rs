//! Plaintext is not given by GET, and a session that has learned that no method is named notices when one is.

use hftok_tests::answer::{create, get, refused};
use hftok_tests::cluster::Cluster;

#[test]
fn a_method_is_noticed_whatever_settings_came_before_it() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    create(&mut admin, "name", "value");
    // Names right before and after it, far from it, and none.
    let others =
        ["request.metho", "request.methods", "Request.Meth", "request.methodical", "a.first", "zz.last"];
    for method in ["request.method", "Request.METHOD"] {
        let mut client = cluster.client("postgres", "app");
        assert_eq!(get(&mut client, "name").expect("opens"), "value");
        for other in others {
            client.execute("SELECT set_config($1, 'GET', false)", &[&other]).expect("set");
            assert_eq!(get(&mut client, "name").expect("opens"), "value", "after {other}");
        }
        client.execute("SELECT set_config($1, 'GET', false)", &[&method]).expect("set");
        refused(get(&mut client, "name"), "PT405");
        client.execute("SELECT set_config($1, 'POST', false)", &[&method]).expect("set");
        assert_eq!(get(&mut client, "name").expect("opens"), "value");
        client.execute("SELECT set_config($1, 'GET', false)", &[&method]).expect("set");
        refused(get(&mut client, "name"), "PT405");
    }
}
