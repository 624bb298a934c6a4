//! The embedded cluster as one gets it: mounted in process, or listening on loopback.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::DuplexStream;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::sim::behind::Behind;
use crate::sim::furnish;
use crate::sim::gateway;
use crate::sim::knative;
use crate::sim::resources;
use crate::sim::scaler;
use crate::sim::spec::SimSpec;
use crate::sim::store::SharedStore;
use crate::sim::store::Store;
use crate::sim::task;
use crate::sim::usage;
use crate::sim::watcher;
use crate::sim::world::World;

/// Bytes in flight of a connection in process.
const N_PIPE: usize = 64 << 10;

/// An embedded cluster on this thread's `LocalSet`. It ends when dropped.
#[derive(Debug)]
pub struct SimCluster {
    world: Rc<World>,
    behind: Rc<Behind>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

// === impl SimCluster ===

impl SimCluster {
    /// Mounts a cluster in this process, for the tasks of this thread. With tokio's time paused it
    /// lives in virtual time.
    pub fn mount(spec: SimSpec) -> Self {
        Self::mount_at(spec, Clock::start(), None)
    }

    /// The same by another clock; `gateway` is where its gateway listens, if on a socket.
    pub fn mount_at(spec: SimSpec, clock: Clock, gateway: Option<SocketAddr>) -> Self {
        let store = Store::new(clock, spec.seed).shared();
        let world = Rc::new(World::new(clock, spec, store));
        furnish::furnish(&world, gateway);
        let tasks = vec![
            task::spawn(watcher::watch(Rc::clone(&world))),
            task::spawn(watcher::keep_in_sync(Rc::clone(&world))),
            task::spawn(scaler::carry_reports(Rc::clone(&world))),
            task::spawn(scaler::renew_lease(Rc::clone(&world))),
            task::spawn(usage::keep_looking(Rc::clone(&world))),
        ];
        for service in &world.spec.services {
            let object = knative::service_object(service);
            if let Err(error) = world.create(&resources::KSERVICES, object) {
                tracing::warn!(%error, service = service.name, "a service of the spec was refused");
            }
            knative::reconcile(&world, &service.namespace, &service.name);
        }
        let behind = Rc::new(Behind(Rc::clone(&world)));
        Self { world, behind, _tasks: tasks }
    }

    /// A connection to the gateway: HTTP/1.1, or HTTP/2 in clear text with prior knowledge.
    pub fn connect_gateway(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(N_PIPE);
        task::detach(gateway::serve(Rc::clone(&self.world.plane), far));
        near
    }

    /// The host by which the gateway knows a service.
    pub fn host(&self, namespace: &str, service: &str) -> String {
        knative::host(&self.world, namespace, service)
    }

    /// The host of the first service of the spec; empty without services.
    pub fn first_host(&self) -> String {
        let first = self.world.spec.services.first();
        first.map(|one| self.host(&one.namespace, &one.name)).unwrap_or_default()
    }

    /// The objects, as a client would see them; for tests that change them directly.
    pub fn store(&self) -> SharedStore {
        Rc::clone(&self.world.store)
    }

    /// What the API server passes on.
    pub fn backstage(&self) -> Rc<impl crate::sim::backstage::Backstage + use<>> {
        Rc::clone(&self.behind)
    }

    /// The lease goes to another autoscaler, if there is another. Gives its pod's name.
    pub fn hand_over(&self) -> Option<String> {
        scaler::hand_over(&self.world).map(|pod| pod.name.clone())
    }

    /// Requests that pods have answered so far.
    pub fn n_served(&self) -> u64 {
        self.world.plane.n_served()
    }

    /// Serves the gateway on a listening socket, until the future is dropped.
    pub async fn serve_gateway(&self, listener: tokio::net::TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Small answers shall not wait for more.
                    let _ = stream.set_nodelay(true);
                    task::detach(gateway::serve(Rc::clone(&self.world.plane), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "the gateway could not accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Where a listener of loopback begins.
    pub const fn loopback(port: u16) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
    }
}

#[cfg(test)]
mod tests;
