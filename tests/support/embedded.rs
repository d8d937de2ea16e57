//! A broker in the test's own process, for tests whose gateway only has to be ready.

use portcullis::demo::{BrokerOptions, EmbeddedBroker};
use std::sync::LazyLock;
use std::sync::mpsc::channel;

/// Its address, `HOST:PORT`.
pub static BROKER: LazyLock<String> = LazyLock::new(|| {
    let (tell, address) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let broker = EmbeddedBroker::start(BrokerOptions::default()).await.unwrap();
            tell.send(broker.address.to_string()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    address.recv().unwrap()
});
