// SPDX-License-Identifier: BSD-2-Clause
//! The facts about an open target.

use iface_sim::Ifconfig;
use nlproof_wire::Os;

use super::fact::Fact;
use crate::vector::{CardModel, FAULT_MODEL, NeededCard};

/// What is known of an open target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whose ABI it speaks.
    pub os: Os,
    /// The stock kernel that answers; `None` if no kernel does.
    pub kernel: Option<Kernel>,
    /// Which commands can be run in it.
    pub commands: Commands,
    /// Which network cards it can be given.
    pub cards: Cards,
    /// How many processors it has; `None`: not the number of any guest.
    pub processors: Option<u32>,
    /// Kernel modules that are loaded, by name (`if_epair`); `None`: every cloner that there is, is built in.
    pub modules: Option<Vec<String>>,
    /// Settings below `net.netlink` that the kernel has, by name; none where no FreeBSD kernel answers.
    pub settings: Vec<String>,
    /// How often a saved state could not be restored and the guest was booted instead.
    pub fallbacks: u32,
    /// Number of network stacks that are ready in it. If there are more vectors, it is faster to run the rest in a
    /// target that is opened anew. `None`: none are ready.
    pub stacks: Option<usize>,
    /// For reports: kernel, accelerator, image.
    pub known: Vec<Fact>,
}

impl Facts {
    /// The major of FreeBSD that answers; 0 if no kernel does.
    pub fn major(&self) -> u32 {
        self.kernel.as_ref().map_or(0, |kernel| kernel.osreldate / 100_000)
    }
}

/// Which commands a target runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commands {
    /// None.
    None,
    /// What [`Ifconfig`] models of ifconfig(8).
    Ifconfig,
    /// Any command that it has.
    All,
}

/// Which network cards a target can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cards {
    /// None: it is no virtual machine.
    None,
    /// Cards of these models.
    Models(Vec<String>),
}

impl Cards {
    /// Why a card of this model cannot be had, if so; `modules` are those of the kernel.
    pub fn lack(&self, card: &NeededCard, modules: Option<&[String]>) -> Option<String> {
        let CardModel { name, driver, module, controller, .. } = card.model;
        match (self, driver) {
            (Cards::None, Some(driver)) if name == FAULT_MODEL.name => {
                Some(format!("needs interfaces of {driver}, which only a FreeBSD guest has"))
            }
            (Cards::None, _) => Some("needs a network card, which only a guest under QEMU is given".into()),
            (Cards::Models(models), _)
                if name != FAULT_MODEL.name && !models.iter().any(|model| model == name) =>
            {
                Some(format!("needs the network card {name}, which this QEMU does not have"))
            }
            (Cards::Models(models), _)
                if controller.is_some_and(|controller| !models.iter().any(|model| model == controller)) =>
            {
                let controller = controller.unwrap_or_default();
                Some(format!("needs the USB controller {controller}, which this QEMU does not have"))
            }
            (_, None) => Some(format!("needs the network card {name}, for which FreeBSD has no driver")),
            (_, Some(driver)) => {
                let lacks = modules.is_some_and(|modules| !modules.iter().any(|module| module == driver));
                let of = module.map_or_else(String::new, |module| format!(" of the kernel module {module}"));
                lacks.then(|| format!("needs the driver {driver}{of}, which this kernel does not have"))
            }
        }
    }
}

impl Commands {
    /// Whether this one can be run.
    pub fn run(self, argv: &[String]) -> bool {
        match self {
            Commands::None => false,
            Commands::Ifconfig => Ifconfig::parse(argv).is_some(),
            Commands::All => true,
        }
    }
}

/// A running kernel's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunningKernel {
    /// `kern.osreldate`.
    pub osreldate: u32,
    /// The first line of `kern.version`.
    pub version: String,
    /// Kernel modules in it, by name.
    pub modules: Vec<String>,
    /// Settings below `net.netlink`, by name.
    pub settings: Vec<String>,
}

/// A kernel, named so that its answers can be attributed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// The release as its directory names it.
    pub release: String,
    /// `kern.osreldate`, asked of the running kernel.
    pub osreldate: u32,
    /// SHA-256 of the kernel file, in hex.
    pub sha256: String,
    /// Facts about its build, if it is not a release's.
    pub build: Option<OwnBuild>,
}

/// The description that a kernel of one's own has, beside its version number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnBuild {
    /// The name of its configuration.
    pub ident: String,
    /// The git revision of its sources, where its version string has one.
    pub revision: Option<String>,
    /// The first line of its version string.
    pub version: String,
}
