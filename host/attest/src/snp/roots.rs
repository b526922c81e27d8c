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

impl Anchor {
    /// Reads PEM; which certificate is the root shows in its names, and proves nothing yet.
    fn parse(product: Product, pem: &str) -> Result<Self, RootError> {
        let all = Certificate::parse_pem(pem).map_err(|_| RootError::Form)?;
        let (mut roots, issuers): (Vec<_>, Vec<_>) = all.into_iter().partition(Certificate::names_itself);
        let root = roots.pop().filter(|_| roots.is_empty()).ok_or(RootError::Root)?;
        Ok(Self { product, root, issuers })
    }

    fn paths(&self) -> impl Iterator<Item = Path<'_>> {
        self.issuers.iter().map(|issuer| Path { root: &self.root, issuer })
    }
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
    /// AMD's own. Of these only what a report leads to is checked, when it does: a test checks all.
    ///
    /// # Errors
    /// Never for what is pinned; a test holds that.
    pub fn amd() -> Result<Self, RootError> {
        AMD.into_iter().map(|(product, pem)| Anchor::parse(product, pem)).collect::<Result<_, _>>().map(Self)
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
        let anchor = Anchor::parse(product, pem)?;
        if !anchor.root.is_issued_by(&anchor.root) {
            return Err(RootError::Root);
        }
        if !anchor.paths().all(|path| path.holds()) {
            return Err(RootError::Issuer);
        }
        self.0.push(anchor);
        Ok(())
    }

    /// The root and the issuer that signed a certificate, of one product.
    pub(crate) fn path_of(&self, certificate: &Certificate, product: Product) -> Option<Path<'_>> {
        let anchors = self.0.iter().filter(|anchor| anchor.product == product);
        let mut paths = anchors.flat_map(Anchor::paths);
        paths.find(|path| certificate.is_issued_by(path.issuer) && path.holds())
    }
}

/// From a certificate up to its root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    pub(crate) root: &'a Certificate,
    pub(crate) issuer: &'a Certificate,
}

impl Path<'_> {
    /// Whether the root signed itself and the issuer.
    fn holds(&self) -> bool {
        self.root.is_issued_by(self.root) && self.issuer.is_issued_by(self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn every_root_that_is_pinned_signed_itself_and_its_issuers() {
        for (product, pem) in AMD {
            assert_eq!(Roots::none().add(product, pem), Ok(()), "{product:?}");
        }
        assert_eq!(Roots::amd().map(|roots| roots.0.len()), Ok(AMD.len()));
    }

    #[test]
    fn an_issuer_that_its_root_did_not_sign_leads_nowhere() {
        let [milan, genoa, _] = AMD.map(|(product, pem)| Anchor::parse(product, pem).unwrap());
        let found = |root: &Certificate| {
            let anchor = Anchor { root: root.clone(), issuers: vec![milan.root.clone()], ..milan.clone() };
            Roots(vec![anchor]).path_of(&milan.issuers[0], Product::Milan).is_some()
        };
        assert!(found(&milan.root));
        assert!(!found(&genoa.root));
    }
}
