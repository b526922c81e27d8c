//! Roots of trust: AMD's keys for each product, pinned.

use alloc::vec::Vec;

use super::product::Product;
use crate::x509::Certificate;

/// The certificates as AMD's key server gives them (`/vcek/v1/PRODUCT/cert_chain` and `/vlek/v1/...`).
const AMD: [(Product, &str); 3] = [
    (Product::Milan, include_str!("../../roots/amd-milan.pem")),
    (Product::Genoa, include_str!("../../roots/amd-genoa.pem")),
    (Product::Turin, include_str!("../../roots/amd-turin.pem")),
];

/// Keys of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Anchor {
    product: Product,
    /// The root (ARK).
    root: Certificate,
    /// What it lets sign keys of processors (ASK) and of clouds (ASVK).
    issuers: Vec<Certificate>,
}

/// Whom reports may be traced to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots(Vec<Anchor>);

/// Roots that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootError {
    /// Not PEM certificates.
    Form,
    /// No certificate that signed itself, or more than one.
    Root,
    /// A certificate that the root did not sign.
    Issuer,
}

impl core::fmt::Display for RootError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Form => "roots: not PEM certificates",
            Self::Root => "roots: expected one certificate that signed itself",
            Self::Issuer => "roots: a certificate that the root did not sign",
        })
    }
}

impl core::error::Error for RootError {}

impl Roots {
    /// AMD's own.
    ///
    /// # Errors
    /// Never for what is pinned; a test holds that.
    pub fn amd() -> Result<Self, RootError> {
        let mut roots = Self(Vec::new());
        for (product, pem) in AMD {
            roots.add(product, pem)?;
        }
        Ok(roots)
    }

    /// Nobody's: whatever comes is refused.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a root and what it signed.
    ///
    /// # Errors
    /// Not one root with certificates that it signed.
    pub fn add(&mut self, product: Product, pem: &str) -> Result<(), RootError> {
        let all = Certificate::parse_pem(pem).map_err(|_| RootError::Form)?;
        let (mut roots, issuers): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.is_issued_by(one));
        let root = roots.pop().filter(|_| roots.is_empty()).ok_or(RootError::Root)?;
        if !issuers.iter().all(|issuer| issuer.is_issued_by(&root)) {
            return Err(RootError::Issuer);
        }
        self.0.push(Anchor { product, root, issuers });
        Ok(())
    }

    /// The root and the issuer that signed a certificate, of one product.
    pub(crate) fn path_of(&self, certificate: &Certificate, product: Product) -> Option<Path<'_>> {
        let anchors = self.0.iter().filter(|anchor| anchor.product == product);
        let mut paths = anchors.flat_map(|anchor| anchor.issuers.iter().map(|issuer| (&anchor.root, issuer)));
        let (root, issuer) = paths.find(|(_, issuer)| certificate.is_issued_by(issuer))?;
        Some(Path { root, issuer })
    }
}

/// From a certificate up to its root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    pub(crate) root: &'a Certificate,
    pub(crate) issuer: &'a Certificate,
}
