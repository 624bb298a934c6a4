//! The embedded cluster as one gets it: mounted in process, or listening on loopback.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::DuplexStream;
use tokio::sync::mpsc::Receiver;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::sim::apiserver::ApiServer;
use crate::sim::behind::Behind;
use crate::sim::door::Door;
use crate::sim::door::N_PIPE;
use crate::sim::fault::Faults;
use crate::sim::furnish;
use crate::sim::gateway;
use crate::sim::knative;
use crate::sim::resources;
use crate::sim::scaler;
use crate::sim::spec::SimSpec;
use crate::sim::store::SharedStore;
use crate::sim::store::Store;
use crate::sim::task;
use crate::sim::trouble::Troubles;
use crate::sim::usage;
use crate::sim::watcher;
use crate::sim::world::World;

/// An embedded cluster on this thread's `LocalSet`. It ends when dropped.
#[derive(Debug)]
pub struct SimCluster {
    world: Rc<World>,
    behind: Rc<Behind>,
    api: Rc<ApiServer<Behind>>,
    api_door: Door,
    gateway_door: Door,
    faults: Faults,
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
        let mut tasks = vec![
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
        let faults = Faults::default();
        let store = Rc::clone(&world.store);
        let api = Rc::new(ApiServer::new(store, Rc::clone(&behind), faults.clone()));
        let (api_door, streams) = Door::new();
        tasks.push(task::spawn(serve_api(Rc::clone(&api), streams)));
        let (gateway_door, streams) = Door::new();
        tasks.push(task::spawn(serve_gateway(Rc::clone(&world), streams)));
        Self { world, behind, api, api_door, gateway_door, faults, _tasks: tasks }
    }

    /// A connection to the gateway: HTTP/1.1, or HTTP/2 in clear text with prior knowledge.
    pub fn connect_gateway(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(N_PIPE);
        task::detach(gateway::serve(Rc::clone(&self.world.plane), far));
        near
    }

    /// A connection to the API server: HTTP/1.1, or HTTP/2 with prior knowledge.
    pub fn connect_api(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(N_PIPE);
        task::detach(Rc::clone(&self.api).serve(far));
        near
    }

    /// Connections to the API server, for tasks that are not of this thread.
    pub fn api_door(&self) -> Door {
        self.api_door.clone()
    }

    /// Connections to the gateway, for tasks that are not of this thread.
    pub fn gateway_door(&self) -> Door {
        self.gateway_door.clone()
    }

    /// What is wrong with its API server, and can be made wrong.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
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

    /// The container of the leading autoscaler ends, and begins anew in its pod.
    pub fn restart_autoscaler(&self) {
        task::detach(scaler::restart(Rc::clone(&self.world)));
    }

    /// What is wrong in the cluster itself, and can be made wrong.
    pub fn troubles(&self) -> Rc<Troubles> {
        Rc::clone(&self.world.troubles)
    }

    /// Requests that pods have answered so far.
    pub fn n_served(&self) -> u64 {
        self.world.plane.n_served()
    }

    /// Serves the API server on a listening socket, until the future is dropped.
    pub async fn serve_api(&self, listener: tokio::net::TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    task::detach(Rc::clone(&self.api).serve(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "the API server could not accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
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

/// Serves what comes through the API server's door.
async fn serve_api(api: Rc<ApiServer<Behind>>, mut streams: Receiver<DuplexStream>) {
    while let Some(stream) = streams.recv().await {
        task::detach(Rc::clone(&api).serve(stream));
    }
}

/// Serves what comes through the gateway's door.
async fn serve_gateway(world: Rc<World>, mut streams: Receiver<DuplexStream>) {
    while let Some(stream) = streams.recv().await {
        task::detach(gateway::serve(Rc::clone(&world.plane), stream));
    }
}

#[cfg(test)]
mod tests;
